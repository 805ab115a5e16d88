"""Evidently's pages as a process: `python -m reporting.ui --workspace PATH`.

Evidently takes some seconds and 300 MB to load, and many who run Rebento never open its pages. So the port is
bound with the standard library alone, and Evidently is loaded when the first visitor comes, who waits for it
with the connection open.
"""

from __future__ import annotations

import argparse
import logging
import os
import select
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from loop.host_names import HostNames
from loop.stopping import leave_at_once_when_told, when_orphaned
from monitoring.logs import logs_are_json, set_up_logs

log = logging.getLogger("rebento.reporting")

_BACKLOG = 128
_NICENESS = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM, SIGINT, or the end of standard input where that is a pipe: whoever started this
    is gone then. 1: the port cannot be had."""
    leave_at_once_when_told()  # nothing is held here that is not on disk
    asked = _parser().parse_args(arguments)
    set_up_logs("reporting", asked.log_format)
    os.nice(_NICENESS)
    try:
        listener = _listen(asked.host, asked.port)
    except OSError as error:
        sentence = (
            f"port {asked.port} on {asked.host} cannot be had ({error.strerror}): stop what listens there, "
            "or set REBENTO_REPORTING_PORT to another"
        )
        if logs_are_json():
            log.error("%s", sentence)
        else:
            print(sentence, file=sys.stderr)
        return 1
    when_orphaned(lambda: os._exit(0))
    log.info("Evidently's pages are at http://%s:%d/", _shown(asked.host), listener.getsockname()[1])
    select.select([listener], [], [])
    log.info("the first visitor is here; Evidently is being loaded")
    _serve(asked, listener)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reporting.ui", description="Evidently's pages.")
    parser.add_argument("--workspace", type=Path, required=True, help="folder of the Evidently workspace")
    parser.add_argument(
        "--host", default="127.0.0.1", help="the pages ask for no login: others than this machine see all"
    )
    parser.add_argument("--port", type=int, default=8082)
    parser.add_argument(
        "--allowed-hosts", default="", help="names, comma-separated, under which they answer beside their own"
    )
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    return parser


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _serve(asked: argparse.Namespace, listener: socket.socket) -> None:
    os.environ["DO_NOT_TRACK"] = "1"  # Evidently reads it while it is imported
    import uvicorn
    from evidently.ui.service.app import create_app, get_config

    from reporting.gate import Gate
    from reporting.workspace import mend

    asked.workspace.mkdir(parents=True, exist_ok=True)
    mend(asked.workspace)
    own = (socket.gethostname(), socket.getfqdn())
    hosts = HostNames.where_bound(listener.getsockname()[0], asked.allowed_hosts.split(","), own)
    pages = create_app(get_config(workspace=str(asked.workspace)))
    set_up_logs("reporting", asked.log_format)  # again: Evidently's libraries have set up their own
    config = uvicorn.Config(
        Gate(pages, hosts),
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
    )
    server = uvicorn.Server(config)
    server.handle_exit = lambda *_: os._exit(0)  # type: ignore[method-assign]
    server.run(sockets=[listener])


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


if __name__ == "__main__":
    sys.exit(main())
