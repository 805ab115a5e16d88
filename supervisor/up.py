"""`rebento up`: the API of one Bento, kept alive until a person stops it."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from loop.refusals import Refusal
from supervisor.workers import Workers, listen

log = logging.getLogger("rebento.supervisor")


def serve(
    bento: str,
    *,
    folder: Path,
    host: str,
    port: int,
    count: int,
    environment: Mapping[str, str],
    metrics_folder: Path,
    drain_seconds: float,
    hourly: Callable[[], object],
    say: Callable[[str], None],
) -> None:
    """Serves `bento` from its own `folder` until SIGTERM or SIGINT, then drains.

    `hourly` is called once at the start and then every hour, in a thread of its own. Raises PortTaken,
    WorkersFailed or BrokenPackage where it cannot begin.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s supervisor %(levelname)s %(message)s")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    listener = listen(host, port)
    workers = Workers(
        bento=bento,
        folder=folder,
        listener=listener,
        count=count,
        environment=environment,
        metrics_folder=metrics_folder,
        drain_seconds=drain_seconds,
    )
    try:
        seconds = workers.start()
        at = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        say(f"{bento} answers at {at} after {seconds:.1f} s ({count} worker{'s' if count > 1 else ''})")
        say(f"  ask       {at}/predict    POST, see examples/")
        say(f"  try it    {at}/           every route, its shapes, and a form")
        say(f"  watch     {at}/metrics    Prometheus text")
        say("Ctrl-C stops it.")
        threading.Thread(target=_every_hour, args=(hourly, stopping), name="hourly", daemon=True).start()
        while not stopping.wait(0.2):
            workers.watch()
        say("stopping: what is held is answered first")
    finally:
        listener.close()
        workers.stop()


def _every_hour(work: Callable[[], object], stopping: threading.Event) -> None:
    while True:
        try:
            work()
        except Refusal as refusal:  # the database is away: the next hour will do
            log.warning("the hourly work was put off: %s", refusal)
        if stopping.wait(3600):
            return
