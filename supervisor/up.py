"""`rebento up` and `rebento serve`: the API of one use case and the processes beside it, until a person
stops it."""

from __future__ import annotations

import logging
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from loop.clock import now_ms
from loop.tolerance import Tolerated
from storage.database import Database
from supervisor.counters import Counters, counters
from supervisor.fleet import Fleet
from supervisor.hourly import every_hour
from supervisor.ledger import Ledger
from supervisor.listening import listen
from supervisor.observer import Observer
from supervisor.orphans import Left, Predecessor, only_one
from supervisor.plan import Plan, greeting
from supervisor.standing import Standing
from supervisor.waiting import version_to_serve
from supervisor.worker import Launch

log = logging.getLogger("rebento.supervisor")

_LOOK_SECONDS = 0.2
_SWAP_SECONDS = 0.05
_CHILD_SECONDS = 15.0

Say = Callable[[str], None]


def serve(plan: Plan, database: Database, *, hourly: Callable[[], object], say: Say) -> None:
    """Serves until SIGTERM or SIGINT, then drains; swaps Bentos as promotions ask.

    `hourly` is called once at the start and then every hour, in a thread of its own. Raises AlreadyUp,
    PortTaken, WorkersFailed, BrokenPackage, or the refusal of `folder_of`, where it cannot begin.
    """

    def say_if_possible(line: str) -> None:
        try:
            say(line)
        except OSError as error:  # its output goes to a disk that is full
            log.warning("could not be said: %s: %s", line, error)

    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with only_one(plan.machine_home) as lock, counters(plan.machine_home) as shared:
        left = Left(plan.machine_home, plan.port)
        before = left.by_predecessor()
        holds_port = before.holds(plan.port)
        with closing(listen(plan.host, plan.port, beside_orphans=holds_port)) as listener:
            begin = plan.bento
            if begin is None:
                begin = version_to_serve(
                    plan.use_case, database, None if holds_port else listener, stopping, say_if_possible
                )
            if begin is not None:
                keeper = _Keeper(
                    plan, database, lock, listener, shared, left, before, stopping, say_if_possible
                )
                keeper.keep(begin, hourly)
        before.end()
        left.write(before.running(), [])


@dataclass
class _Keeper:
    """Keeps the workers and the children of one plan going."""

    plan: Plan
    database: Database
    lock: str
    listener: socket.socket
    counters: Counters
    left: Left
    before: Predecessor
    stopping: threading.Event
    say: Say

    def keep(self, begin: str, hourly: Callable[[], object]) -> None:
        plan, stopping = self.plan, self.stopping
        ledger = Ledger(
            self.database,
            plan.use_case,
            now_ms,
            machine=self.lock,
            host=plan.machine,
            silence_seconds=plan.silence_seconds,
        )
        with ledger.kept(begin) as tag:
            first = self._open_fleet(tag)
            first.wanted = "accept"
            standing = Standing(first, self._open_fleet, ledger, now_ms, plan.probation_seconds)
            observer = Observer(
                self.database,
                plan.use_case,
                plan.home,
                self.counters.folder,
                leads=lambda: ledger.is_leading,
                lags=lambda: standing.lag is not None,
            )
            try:
                began = time.monotonic()
                self.before.end_children()
                while not first.is_ready and not stopping.is_set():
                    first.look(time.monotonic())
                    if first.failure is not None:
                        raise first.failure
                    self._pause(standing)
                if not stopping.is_set():
                    for line in greeting(plan, tag, time.monotonic() - began):
                        self.say(line)
                    every_hour(hourly, stopping)
                    self.before.replace(self.listener)
                    observer.start()
                looks = (standing.look, *(child.look for child in plan.children), self.before.look)
                look = Tolerated("a look at the processes", log, *(_now(one) for one in looks))
                while not stopping.is_set():
                    look()
                    self._pause(standing)
                self.say("stopping: what is held is answered first")
            finally:
                observer.stop()
                self.listener.close()
                for child in plan.children:
                    child.leave()
                standing.end(lambda: time.sleep(_SWAP_SECONDS))
                for child in plan.children:
                    child.end(_CHILD_SECONDS)

    def _open_fleet(self, tag: str) -> Fleet:
        launch = Launch(
            bento=tag,
            folder=self.plan.folder_of(tag),
            listener_fd=self.listener.fileno(),
            environment=self.plan.environment,
            counters=self.counters,
            drain_seconds=self.plan.drain_seconds,
            orphan_seconds=self.plan.orphan_seconds,
        )
        return Fleet(launch, self.plan.workers, "standby", self.plan.ready_seconds)

    def _pause(self, standing: Standing) -> None:
        children = [pid for child in self.plan.children for pid in child.processes]
        self.left.write([*standing.processes(), *self.before.running()], children)
        seconds = _SWAP_SECONDS if standing.is_busy else _LOOK_SECONDS
        select.select(standing.descriptors(), [], [], seconds)


def _now(look: Callable[[float], object]) -> Callable[[], object]:
    return lambda: look(time.monotonic())
