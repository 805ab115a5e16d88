"""One worker of a Bento on an inherited socket: `python -m runner.worker BENTO --fd N --ready-fd N`.

Started inside the Bento's own folder, so that the code it carries serves it. Answers the hot routes before
BentoML's layers. What it is told comes as lines on standard input, see `runner.handover`; on SIGTERM it stops
accepting, answers what it holds with `Connection: close`, and leaves. Two things come by environment, since
workers of Bentos built earlier meet them, too, and refuse arguments they do not know:
WORKER_STARTS=standby loads at low priority and accepts only when told; WORKER_ORPHAN_SECONDS (default 30) is
how long it goes on serving once whoever started it is gone.
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
from typing import Any

from monitoring.logs import set_up_logs
from runner.priority import at_low_priority

#: Exit code of a worker whose Bento cannot serve here: starting it again would not help.
CANNOT_SERVE = 3

log = logging.getLogger("rebento.worker")


def load(bento: str) -> Any:
    """The ASGI application of `bento`, BentoML's own layers innermost."""
    from _bentoml_impl.loader import load as load_service

    service = load_service(bento, standalone_load=True)
    app: Any = service.to_asgi(is_main=True)
    # The same middlewares that BentoML puts behind tracing and logging, once more, in front of them.
    for middleware, options in service.middlewares:
        app = middleware(app, **options)
    return app


def load_aside(bento: str) -> Any:
    """As `load`, at low priority, so that the workers that answer meanwhile keep the processor."""
    # Importing it starts a native thread, which would keep the nice value; a twentieth of the whole.
    import onnxruntime  # noqa: F401

    return at_low_priority(lambda: load(bento))


def serve(app: Any, listener: socket.socket, *, ready_fd: int, drain_seconds: float) -> None:
    """Serves `app` until it leaves."""
    import uvicorn

    from runner.forwarding import Forwarding
    from runner.handover import HandoverServer

    forwarding = Forwarding(app, listener)
    server = HandoverServer(
        uvicorn.Config(
            forwarding,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            loop="auto",
            http="httptools",
            ws="none",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=3,  # comes after the drain, which had its own time
        ),
        forwarding=forwarding,
        listener=listener,
        ready_fd=ready_fd,
        commands_fd=0,
        starts_accepting=not _starts_in_standby(),
        drain_seconds=drain_seconds,
        orphan_seconds=float(os.environ.get("WORKER_ORPHAN_SECONDS", "30")),
    )
    server.run()


def _starts_in_standby() -> bool:
    return os.environ.get("WORKER_STARTS") == "standby"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bento", help="tag of the Bento, e.g. doctor_visits:abc")
    parser.add_argument("--fd", type=int, required=True, help="listening socket, inherited")
    parser.add_argument("--ready-fd", type=int, required=True, help="written to when ready and when told")
    parser.add_argument("--drain-seconds", type=float, default=30.0)
    arguments = parser.parse_args()
    named, log_format = f"worker[{os.getpid()}]", os.environ.get("REBENTO_LOG_FORMAT", "")
    set_up_logs(named, log_format)
    app = (load_aside if _starts_in_standby() else load)(arguments.bento)
    set_up_logs(named, log_format)  # again: BentoML may have set up its own
    serve(
        app,
        socket.socket(fileno=arguments.fd),
        ready_fd=arguments.ready_fd,
        drain_seconds=arguments.drain_seconds,
    )


if __name__ == "__main__":
    main()
