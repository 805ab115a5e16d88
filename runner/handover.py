"""A server that takes over from others on one listening socket, and lets others take over from it.

While *accepting* it answers whoever connects. In *standby* the socket is left to other workers: what this
one holds is answered with `Connection: close`, idle connections stay open, and a request that arrives on
one of them is forwarded to those who accept. Both as often as it is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
import threading
import time
from types import FrameType
from typing import Any

import uvicorn

from runner import posture
from runner.forwarding import Forwarding

#: An idle kept-alive connection may carry a request that is just on its way.
_IDLE_GRACE_SECONDS = 1.0
_CLOSE = (b"connection", b"close")

log = logging.getLogger("rebento.worker")


class HandoverServer(uvicorn.Server):
    """Uvicorn that stops and starts accepting when told, and leaves without cutting anybody off.

    Commands are lines on `commands_fd`: `accept`, `standby`, `leave`. On `ready_fd` it says `ready 2` once
    it is loaded, then what it does, `accepting` or `standby`, after each command. Their end means that
    whoever gave them is gone: it goes on for `orphan_seconds`, waiting to be replaced, and leaves; in
    standby it leaves at once. `forwarding` is the application; `listener` is kept to accept again.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        forwarding: Forwarding,
        listener: socket.socket,
        ready_fd: int,
        commands_fd: int,
        starts_accepting: bool,
        drain_seconds: float,
        orphan_seconds: float,
    ) -> None:
        super().__init__(config)
        # Whether it blocks is one flag of all processes that share it, and a duplicate of a socket that is
        # blocking to Python clears it for all: their next accept would hold their event loops.
        listener.setblocking(False)
        self._forwarding = forwarding
        self._listener = listener
        self._ready_fd = ready_fd
        self._commands_fd = commands_fd
        self._starts_accepting = starts_accepting
        self._drain_seconds = drain_seconds
        self._orphan_seconds = orphan_seconds
        self._commands: asyncio.Queue[str | None] = asyncio.Queue()
        """None: there will be no more."""
        self._accepts = False
        self._leaving_since = 0.0
        self._idle_seconds = 0.0
        """How long connections without a request are kept once it leaves."""
        self._longest_seconds = 0.0
        """How long any connection is."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup([])
        except SystemExit:
            # Uvicorn's own code here, 3, means to whoever started us that the Bento itself is broken.
            sys.exit(1)
        if self._starts_accepting:
            await self._accept()
        else:
            await self._stand_by()
        self._say("ready 2")
        loop = asyncio.get_running_loop()
        self._obeying = loop.create_task(self._obey())
        threading.Thread(target=self._hear, args=(loop,), name="lifeline", daemon=True).start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.drain()

    def drain(self) -> None:
        """It stops accepting, answers what it holds, and leaves."""
        if self._idle_seconds != _IDLE_GRACE_SECONDS:
            self._leave(_IDLE_GRACE_SECONDS, self._drain_seconds)

    def _leave(self, idle_seconds: float, longest_seconds: float) -> None:
        self._idle_seconds = idle_seconds
        self._longest_seconds = longest_seconds
        self._leaving_since = time.monotonic()

    async def on_tick(self, counter: int) -> bool:
        if await super().on_tick(counter):
            return True
        if self._leaving_since:
            await self._stop_accepting()
            self._listener.close()  # while a process holds it, callers queue up instead of being refused
        if not self._accepts:
            self._close_after_answers()  # uvicorn sets the headers anew each second
        if not self._leaving_since:
            return False
        seconds = time.monotonic() - self._leaving_since
        connections = self.server_state.connections
        if not connections or seconds > self._longest_seconds:
            return True
        return seconds > self._idle_seconds and not any(_is_busy(connection) for connection in connections)

    async def _accept(self) -> None:
        if self._accepts:
            return
        self._accepts = True
        loop = asyncio.get_running_loop()
        try:
            # A duplicate, since a server that stops accepting closes what it was given.
            server = await loop.create_server(
                self._connection, sock=self._listener.dup(), backlog=self.config.backlog
            )
        except OSError:  # no descriptors left: it says standby, which is the truth
            log.exception("this worker cannot accept")
            self._accepts = False
            return
        self.servers = [server]
        posture.say(True)
        self._forwarding.is_on = False
        self.server_state.default_headers = list(self.config.encoded_headers)

    def _connection(self) -> asyncio.Protocol:
        connection: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return connection

    async def _stand_by(self) -> None:
        await self._stop_accepting()
        self._forwarding.is_on = True
        self._close_after_answers()

    async def _stop_accepting(self) -> None:
        self._accepts = False
        posture.say(False)
        servers, self.servers = self.servers, []
        for server in servers:
            # asyncio accepts in one turn and makes the connection in the next, which a closed server refuses.
            for listening in server.sockets:
                asyncio.get_running_loop().remove_reader(listening.fileno())
            await asyncio.sleep(0)
            server.close()

    def _close_after_answers(self) -> None:
        """Each connection ends with its next answer; none is cut."""
        headers = [*self.config.encoded_headers, _CLOSE]
        self.server_state.default_headers = headers
        connection: Any
        for connection in self.server_state.connections:
            # A request that began before carries the headers of that time; of several, this is the last.
            cycle = connection.cycle
            if cycle is not None and not cycle.response_started:
                cycle.default_headers = headers

    def _hear(self, loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: it has left already
            with os.fdopen(self._commands_fd, "rb", buffering=0, closefd=False) as lines:
                for line in lines:
                    loop.call_soon_threadsafe(self._commands.put_nowait, line.decode("latin-1").strip())
            loop.call_soon_threadsafe(self._commands.put_nowait, None)

    async def _obey(self) -> None:
        while True:
            command = await self._commands.get()
            if command is None:
                self._orphaned()  # after what it was told last: whether it accepts decides
                return
            if command == "accept" and not self._leaving_since:
                await self._accept()
            elif command in ("standby", "leave"):
                await self._stand_by()
                if command == "leave" and not self._leaving_since:
                    idle_seconds = self.config.timeout_keep_alive
                    self._leave(idle_seconds, idle_seconds + self._drain_seconds)
            else:
                log.warning("a command that cannot be followed now is left alone command=%r", command[:40])
            self._say("accepting" if self._accepts else "standby")

    def _say(self, line: str) -> None:
        try:
            os.write(self._ready_fd, f"{line}\n".encode())
        except BrokenPipeError:
            log.warning("nobody reads what this worker says line=%r", line)

    def _orphaned(self) -> None:
        seconds = self._orphan_seconds if self._accepts else 0.0
        log.warning(
            "whoever started this worker is gone; it answers what it holds and leaves in_seconds=%g", seconds
        )
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self.drain)
        else:
            self.drain()


def _is_busy(connection: Any) -> bool:
    """Whether somebody waits for an answer, or for the rest of one."""
    cycle = connection.cycle
    if cycle is not None and not cycle.response_complete:
        return True
    return bool(connection.transport.get_write_buffer_size())
