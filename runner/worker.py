"""One worker of a Bento on an inherited socket: `python -m runner.worker BENTO --fd N --ready-fd N`.

Started inside the Bento's own folder, so that the code it carries serves it. Answers the hot routes before
BentoML's layers, and drains: on SIGTERM, or when whoever started it is gone, it stops accepting, answers
what it holds with `Connection: close`, and leaves.
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
import threading
import time
from types import FrameType
from typing import Any

import uvicorn

#: Exit code of a worker whose Bento cannot serve here: starting it again would not help.
CANNOT_SERVE = 3
#: An idle kept-alive connection may carry a request that is just on its way.
_IDLE_GRACE_SECONDS = 1.0
_CLOSE = (b"connection", b"close")

log = logging.getLogger("rebento.worker")


class DrainingServer(uvicorn.Server):
    """Uvicorn that leaves without cutting anybody off."""

    def __init__(self, config: uvicorn.Config, *, ready_fd: int, drain_seconds: float) -> None:
        super().__init__(config)
        self._ready_fd = ready_fd
        self._drain_seconds = drain_seconds
        self._draining_since = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            os.write(self._ready_fd, b"ready\n")
            os.close(self._ready_fd)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.drain()

    def drain(self) -> None:
        self._draining_since = self._draining_since or time.monotonic()

    async def on_tick(self, counter: int) -> bool:
        if not self._draining_since:
            return await super().on_tick(counter)
        for server in self.servers:
            server.close()
        if _CLOSE not in self.server_state.default_headers:
            self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]
        for connection in self.server_state.connections:
            # A request that began before the drain carries the headers of that time.
            if _is_busy(connection) and not connection.cycle.response_started:
                connection.cycle.default_headers = self.server_state.default_headers
        seconds = time.monotonic() - self._draining_since
        if seconds > self._drain_seconds:
            return True
        if any(_is_busy(connection) for connection in self.server_state.connections):
            return False
        return not self.server_state.connections or seconds > _IDLE_GRACE_SECONDS


def _is_busy(connection: Any) -> bool:
    cycle = connection.cycle
    return cycle is not None and not cycle.response_complete


def _drain_when_orphaned(server: DrainingServer) -> None:
    """Standard input is a pipe that whoever started us holds open; its end means they are gone."""

    def wait() -> None:
        while os.read(0, 1024):
            pass
        log.warning("whoever started this worker is gone; it answers what it holds and leaves")
        server.drain()

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bento", help="tag of the Bento, e.g. doctor_visits:abc")
    parser.add_argument("--fd", type=int, required=True, help="listening socket, inherited")
    parser.add_argument("--ready-fd", type=int, required=True, help="written to once requests are accepted")
    parser.add_argument("--drain-seconds", type=float, default=30.0)
    arguments = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO,
        format=f"%(asctime)s worker[{os.getpid()}] %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    from _bentoml_impl.loader import load

    service = load(arguments.bento, standalone_load=True)
    app: Any = service.to_asgi(is_main=True)
    # The same middlewares that BentoML puts behind tracing and logging, once more, in front of them.
    for middleware, options in service.middlewares:
        app = middleware(app, **options)
    server = DrainingServer(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            loop="auto",
            http="httptools",
            ws="none",
            timeout_keep_alive=75,
        ),
        ready_fd=arguments.ready_fd,
        drain_seconds=arguments.drain_seconds,
    )
    _drain_when_orphaned(server)
    server.run(sockets=[socket.socket(fileno=arguments.fd)])


if __name__ == "__main__":
    main()
