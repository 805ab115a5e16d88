"""`rebento up`: the API of one use case and the processes beside it, until a person stops it."""

from __future__ import annotations

import logging
import select
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from loop.clock import now_ms
from loop.refusals import Refusal
from storage.database import Database
from supervisor.children import Child
from supervisor.counters import counters
from supervisor.fleet import Fleet
from supervisor.ledger import Ledger
from supervisor.listening import listen
from supervisor.observer import Observer
from supervisor.orphans import Left, only_one
from supervisor.standing import Standing
from supervisor.worker import Launch

log = logging.getLogger("rebento.supervisor")

_LOOK_SECONDS = 0.2
_SWAP_SECONDS = 0.05
_CHILD_SECONDS = 15.0


@dataclass(frozen=True)
class Plan:
    """What one supervisor keeps going."""

    use_case: str
    bento: str
    """The tag to begin with, where the database cannot say by then."""
    folder_of: Callable[[str], Path]
    """The code of a Bento by its tag. Raises Refusal where its files are gone."""
    home: Path
    host: str
    port: int
    workers: int
    environment: Mapping[str, str]
    drain_seconds: float
    probation_seconds: float
    children: Sequence[Child] = ()
    orphan_seconds: float = 120.0
    """How long workers go on serving when this process is killed: the next may be slow to load."""
    ready_seconds: float = 120.0
    """How long the workers of a Bento may take to load; they do at low priority, beside those who answer."""


def serve(
    plan: Plan, database: Database, *, hourly: Callable[[], object], say: Callable[[str], None]
) -> None:
    """Serves until SIGTERM or SIGINT, then drains; swaps Bentos as promotions ask.

    `hourly` is called once at the start and then every hour, in a thread of its own. Raises AlreadyUp,
    PortTaken, WorkersFailed, BrokenPackage, or the refusal of `folder_of`, where it cannot begin.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s supervisor %(levelname)s %(message)s")

    def say_if_possible(line: str) -> None:
        try:
            say(line)
        except OSError as error:  # its output goes to a disk that is full
            log.warning("could not be said: %s: %s", line, error)

    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with only_one(plan.home), counters(plan.home) as shared:
        left = Left(plan.home, plan.port)
        before = left.by_predecessor()
        ledger = Ledger(database, plan.use_case, now_ms)
        with (
            closing(listen(plan.host, plan.port, beside_orphans=before.holds(plan.port))) as listener,
            ledger.kept(plan.bento) as tag,
        ):

            def open_fleet(tag: str) -> Fleet:
                launch = Launch(
                    bento=tag,
                    folder=plan.folder_of(tag),
                    listener_fd=listener.fileno(),
                    environment=plan.environment,
                    counters=shared,
                    drain_seconds=plan.drain_seconds,
                    orphan_seconds=plan.orphan_seconds,
                )
                return Fleet(launch, plan.workers, "standby", plan.ready_seconds)

            first = open_fleet(tag)
            first.wanted = "accept"
            standing = Standing(first, open_fleet, ledger, now_ms, plan.probation_seconds)

            def pause() -> None:
                children = [pid for child in plan.children for pid in child.processes]
                left.write([*standing.processes(), *before.running()], children)
                seconds = _SWAP_SECONDS if standing.is_busy else _LOOK_SECONDS
                select.select(standing.descriptors(), [], [], seconds)

            observer = Observer(database, plan.use_case, plan.home, shared.folder)
            try:
                began = time.monotonic()
                before.end_children()
                while not first.is_ready and not stopping.is_set():
                    first.look(time.monotonic())
                    if first.failure is not None:
                        raise first.failure
                    pause()
                if not stopping.is_set():
                    _greet(plan, tag, time.monotonic() - began, say_if_possible)
                    hours = threading.Thread(target=_every_hour, args=(hourly, stopping), name="hourly")
                    hours.daemon = True
                    hours.start()
                    before.replace(listener)
                    observer.start()
                while not stopping.is_set():
                    standing.look(time.monotonic())
                    for child in plan.children:
                        child.look(time.monotonic())
                    before.look(time.monotonic())
                    pause()
                say_if_possible("stopping: what is held is answered first")
            finally:
                observer.stop()
                listener.close()
                for child in plan.children:
                    child.leave()
                standing.end(lambda: time.sleep(_SWAP_SECONDS))
                for child in plan.children:
                    child.end(_CHILD_SECONDS)
        before.end()
        left.write(before.running(), [])


def _greet(plan: Plan, tag: str, seconds: float, say: Callable[[str], None]) -> None:
    at = f"http://{f'[{plan.host}]' if ':' in plan.host else plan.host}:{plan.port}"
    workers = f"{plan.workers} worker{'s' if plan.workers > 1 else ''}"
    say(f"{tag} answers at {at} after {seconds:.1f} s ({workers})")
    say(f"  ask       {at}/predict    POST, see examples/")
    say(f"  try it    {at}/           every route, its shapes, and a form")
    say(f"  watch     {at}/metrics    Prometheus text")
    say("Ctrl-C stops it.")


def _every_hour(work: Callable[[], object], stopping: threading.Event) -> None:
    while True:
        try:
            work()
        except Refusal as refusal:  # the database is away: the next hour will do
            log.warning("the hourly work was put off: %s", refusal)
        if stopping.wait(3600):
            return
