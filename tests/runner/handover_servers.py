"""Servers that hand over to one another, of a small application that says who answered."""

from __future__ import annotations

import asyncio
import fcntl
import http.client
import json
import os
import socket
import struct
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from runner.forwarding import Forwarding
from runner.handover import HandoverServer


class Told:
    """An ASGI application that tells the request back, and who answered it.

    `/held` waits until `let_go` is set; `/stuck` keeps the whole event loop waiting for it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.answered = 0
        self.holds = threading.Event()
        self.let_go = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{event}.complete"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if scope["path"] in ("/held", "/stuck"):
            self.holds.set()
        if scope["path"] == "/held":
            await asyncio.get_running_loop().run_in_executor(None, self.let_go.wait, 20)
        elif scope["path"] == "/stuck":
            self.let_go.wait(20)
        self.answered += 1
        told = {
            "by": self.name,
            "method": scope["method"],
            "target": (scope["raw_path"] + b"?" + scope["query_string"]).decode(),
            "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
            "bytes": len(body),
        }
        text = json.dumps(told).encode()
        headers = [(b"x-by", self.name.encode()), (b"content-length", str(len(text)).encode())]
        await send({"type": "http.response.start", "status": 203, "headers": headers})
        await send({"type": "http.response.body", "body": text if scope["method"] != "HEAD" else b""})


class _Server(HandoverServer):
    """Says when it listens to commands no more: until then their descriptor must not be another's."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.is_deaf = threading.Event()

    def _hear(self, loop: asyncio.AbstractEventLoop) -> None:
        super()._hear(loop)
        self.is_deaf.set()


class Standing:
    """One server in a thread of its own, told by a pipe as a supervisor would."""

    def __init__(
        self,
        name: str,
        listener: socket.socket,
        *,
        loop: Any = "uvloop",
        starts_accepting: bool = False,
        drain_seconds: float = 10.0,
        orphan_seconds: float = 0.0,
        keep_alive_seconds: int = 75,
        taken_seconds: float = 20.0,
    ) -> None:
        self.app = Told(name)
        own = socket.socket(fileno=os.dup(listener.fileno()))  # as a worker gets it
        forwarding = Forwarding(self.app, own, taken_seconds=taken_seconds)
        heard, self._commands = os.pipe()
        self._said, ready = os.pipe()
        config = uvicorn.Config(
            forwarding,
            log_config=None,
            access_log=False,
            loop=loop,
            http="httptools",
            timeout_keep_alive=keep_alive_seconds,
            timeout_graceful_shutdown=1,
        )
        self.server = _Server(
            config,
            forwarding=forwarding,
            listener=own,
            ready_fd=ready,
            commands_fd=heard,
            starts_accepting=starts_accepting,
            drain_seconds=drain_seconds,
            orphan_seconds=orphan_seconds,
        )
        self._fds = [heard, ready]
        self._thread = threading.Thread(target=self.server.run, name=name)
        self._thread.start()
        assert self.hears() == "ready 2"

    def hears(self) -> str:
        line = b""
        while not line.endswith(b"\n"):
            line += os.read(self._said, 1)
        return line.decode().strip()

    def tell(self, command: str) -> str:
        """What it says to `command`."""
        self.write(command)
        return self.hears()

    def write(self, command: str) -> None:
        os.write(self._commands, f"{command}\n".encode())

    def has_heard(self) -> bool:
        """Whether every command has left the pipe."""
        waiting = fcntl.ioctl(self._commands, termios.FIONREAD, b"\0" * 4)
        return struct.unpack("i", waiting) == (0,)

    def orphan(self) -> None:
        if self._commands >= 0:
            os.close(self._commands)
            self._commands = -1

    def ends(self, seconds: float) -> bool:
        """Whether it has left within `seconds`."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def close(self) -> None:
        self.server.drain()
        assert self.ends(20)
        self.orphan()
        assert self.server.is_deaf.wait(20)
        for fd in (self._said, *self._fds):
            os.close(fd)


@contextmanager
def standing(name: str, listener: socket.socket, **options: Any) -> Iterator[Standing]:
    server = Standing(name, listener, **options)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def listening(host: str = "127.0.0.1") -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family, backlog=2048) as listener:
        yield listener


class Caller:
    """A kept-alive connection."""

    def __init__(self, listener: socket.socket, host: str = "127.0.0.1") -> None:
        self.http = http.client.HTTPConnection(host, listener.getsockname()[1], timeout=60)
        self.http.connect()

    def ask(self, method: str = "GET", target: str = "/", body: Any = None, **headers: str) -> Any:
        """The answer's JSON and, as `closes`, whether the connection ends with it."""
        self.http.request(method, target, body, headers)
        return self.answer()

    def answer(self) -> Any:
        response = self.http.getresponse()
        closes = response.headers.get("connection") == "close"
        return {**json.loads(response.read()), "status": response.status, "closes": closes}

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
