"""The process of the pages."""

from __future__ import annotations

import logging
import signal
import socket
import tempfile
from collections.abc import Callable
from types import FrameType

import uvicorn

from loop.refusals import Refusal
from loop.stopping import SIGNALS, when_orphaned
from webapp.application import create
from webapp.plan import Plan

log = logging.getLogger("rebento.webapp")


class WebPortTaken(Refusal):
    """Something else listens on the port of the pages."""


def serve(plan: Plan, host: str, port: int, say: Callable[[str], None] = lambda line: None) -> None:
    """Serves the pages until SIGTERM, SIGINT, or the end of standard input where that is a pipe: whoever
    started this is gone then. Raises WebPortTaken."""
    listener = _listen(host, port)
    # Uploads are spooled where they will be kept: the system's own folder may be small, or memory.
    spool = plan.home / "uploads" / "spool"
    spool.mkdir(parents=True, exist_ok=True, mode=0o700)
    tempfile.tempdir = str(spool)
    config = uvicorn.Config(
        create(plan),
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        lifespan="on",
    )
    server = uvicorn.Server(config)
    when_orphaned(lambda: _close_orphaned(server))

    def stop(sig: int, frame: FrameType | None) -> None:
        # Once is enough: at a second Ctrl-C uvicorn would leave without closing what the pages hold.
        server.should_exit = True

    server.handle_exit = stop  # type: ignore[method-assign]
    before = {number: signal.signal(number, stop) for number in SIGNALS}
    say(f"pages at http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/")
    try:
        server.run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()  # whoever comes before the pages are ready waits a moment
    except OSError as error:
        listener.close()
        raise WebPortTaken(
            f"port {port} on {host} cannot be had ({error.strerror}): stop what listens there, or set "
            "REBENTO_WEB_PORT to another"
        ) from error
    return listener


def _close_orphaned(server: uvicorn.Server) -> None:
    log.warning("whoever started the pages is gone; they close")
    server.should_exit = True
