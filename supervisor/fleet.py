"""All workers of one Bento on the listening socket, each started again when it dies."""

from __future__ import annotations

import logging
import signal
import time
from dataclasses import dataclass, field

from prometheus_client import multiprocess

from loop.refusals import BrokenPackage, Refusal
from supervisor.worker import POSTURE_AFTER, Launch, Order, Worker

log = logging.getLogger("rebento.supervisor")

_CANNOT_SERVE = 3  # runner.worker's exit code; importing it would load the serving code in here
_FIRST_BACKOFF_SECONDS = 0.1
_LONGEST_BACKOFF_SECONDS = 10.0
#: One may be killed for lack of memory or by hand; the third time it is the Bento or the machine.
_MOST_FAILED_STARTS = 2
#: How often a worker is asked whether it still listens, and how long it may leave that unanswered.
_ASK_SECONDS = 5.0
HANGING_SECONDS = 20.0
#: How long a worker that leaves keeps idle connections, so that none is cut under a caller's hand.
_IDLE_SECONDS = 75.0


class WorkersFailed(Refusal):
    """Workers that did not become ready."""


@dataclass
class Fleet:
    """Runs `count` workers of one Bento. Nothing in here waits: call `look` again and again."""

    launch: Launch
    count: int
    wanted: Order
    """What every worker is to do once it is loaded."""
    ready_seconds: float = 60.0
    hanging_seconds: float = HANGING_SECONDS
    crashes: int = 0
    """Workers that ended, or hung and were ended, after they or the whole fleet were ready once."""
    pids: list[int] = field(default_factory=list)
    """Every process it ever had, ended ones too."""
    failure: Refusal | None = None
    """Why it never became ready."""
    _workers: list[Worker] = field(default_factory=list)
    _was_ready: bool = False
    _is_leaving: bool = False
    _failed_starts: int = 0
    _backoff_seconds: float = _FIRST_BACKOFF_SECONDS
    _start_again_at: float = 0.0
    _began: float = field(default_factory=time.monotonic)
    _leaves_by: float = 0.0

    @property
    def bento(self) -> str:
        return self.launch.bento

    @property
    def takes_orders(self) -> bool:
        """Whether its workers can stand by; those of older Bentos only accept or leave."""
        return bool(self._workers) and all(worker.takes_orders for worker in self._workers)

    @property
    def is_ready(self) -> bool:
        """Whether all are loaded, accepting or not."""
        return len(self._workers) == self.count and all(worker.is_ready for worker in self._workers)

    @property
    def obeys(self) -> bool:
        """Whether all do what is wanted."""
        posture = POSTURE_AFTER[self.wanted]
        return self.is_ready and all(worker.posture == posture for worker in self._workers)

    @property
    def accepting(self) -> int:
        """How many accept connections."""
        return sum(worker.posture == "accepting" for worker in self._workers)

    @property
    def is_warm(self) -> bool:
        """Whether it could accept the next moment."""
        return self.is_ready and self.takes_orders and not self._is_leaving

    @property
    def is_leaving(self) -> bool:
        return self._is_leaving

    @property
    def is_gone(self) -> bool:
        return self._is_leaving and not self._workers

    @property
    def processes(self) -> list[int]:
        """Process ids of those that run."""
        return [worker.process.pid for worker in self._workers]

    def descriptors(self) -> list[int]:
        """What to wait on for news."""
        return [fd for worker in self._workers if (fd := worker.waits_on) is not None]

    def order(self, wanted: Order) -> None:
        """Has every worker accept or stand by, those still to come as well."""
        self.wanted = wanted
        for worker in self._workers:
            if worker.is_ready and worker.takes_orders:
                worker.tell(wanted)

    def leave(self) -> None:
        """Has every worker answer what it holds, and go once its idle connections have gone."""
        if not self._is_leaving:
            self._is_leaving = True
            self._leaves_by = time.monotonic() + _IDLE_SECONDS + self.launch.drain_seconds + 5
            for worker in self._workers:
                if worker.takes_orders:
                    worker.tell("leave")
                else:
                    worker.process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """Has every worker answer what it holds, and go. `look` kills those who do not in time."""
        self._is_leaving = True
        self._leaves_by = time.monotonic() + self.launch.drain_seconds + 5
        for worker in self._workers:
            worker.process.send_signal(signal.SIGTERM)

    def look(self, now: float) -> None:
        """One look at all: hears what they said, buries the dead, starts the missing. `now`: monotonic."""
        for worker in list(self._workers):
            worker.listen()
            code = worker.process.poll()
            if code is not None:
                self._bury(worker, code, now)
            elif worker.is_ready and not self._is_leaving:
                self._hold_to_account(worker, now)
        if self._is_leaving:
            if now > self._leaves_by:
                self._end_by_force()
            return
        if now >= self._start_again_at:
            while len(self._workers) < self.count and not self._is_leaving and self._start(now):
                continue
        if self.is_ready:
            self._was_ready = True
        elif not self._was_ready and now - self._began > self.ready_seconds:
            self._give_up(WorkersFailed(f"{self.bento} was not ready within {self.ready_seconds:g} seconds"))

    def _start(self, now: float) -> bool:
        try:
            worker = self.launch.start(self.wanted)
        except OSError as error:  # its files are gone, or no process can be made
            log.error("a worker of %s cannot be started: %s", self.bento, error)
            self._count_failure(now, f"a worker of {self.bento} cannot be started: {error}")
            return False
        self._workers.append(worker)
        self.pids.append(worker.process.pid)
        return True

    def _hold_to_account(self, worker: Worker, now: float) -> None:
        if now - worker.started > _LONGEST_BACKOFF_SECONDS:
            self._backoff_seconds = _FIRST_BACKOFF_SECONDS
        if not worker.takes_orders:
            return
        is_due = worker.waiting_since is None and now - worker.told_at > _ASK_SECONDS
        if worker.told != self.wanted or is_due:
            worker.tell(self.wanted)
        elif worker.waiting_since is not None and now - worker.waiting_since > self.hanging_seconds:
            log.error("a worker hangs and is ended pid=%d bento=%s", worker.process.pid, self.bento)
            worker.process.kill()

    def _bury(self, worker: Worker, code: int, now: float) -> None:
        self._workers.remove(worker)
        worker.forget()
        # Its counters stay counted; only its live gauges go.
        multiprocess.mark_process_dead(worker.process.pid, str(self.launch.counters.folder))
        if self._is_leaving:
            return
        if code == _CANNOT_SERVE and not self._was_ready:
            self._give_up(BrokenPackage(f"{self.bento} cannot serve here; the line above says why"))
            return
        log.warning(
            "a worker ended and is started again pid=%d bento=%s code=%d wait_seconds=%.1f",
            worker.process.pid, self.bento, code, self._backoff_seconds,
        )  # fmt: skip
        self._count_failure(
            now,
            f"workers of {self.bento} ended {self._failed_starts + 1} times before they were ready, last "
            f"with code {code}; the lines above say why",
            was_ready=worker.is_ready,
        )

    def _count_failure(self, now: float, sentence: str, was_ready: bool = False) -> None:
        # Who was ready can serve, though others are still loading: what ended it came from outside.
        if self._was_ready or was_ready:
            self.crashes += 1
        else:
            self._failed_starts += 1
            if self._failed_starts > _MOST_FAILED_STARTS:
                self._give_up(WorkersFailed(sentence))
        self._start_again_at = now + self._backoff_seconds
        self._backoff_seconds = min(self._backoff_seconds * 2, _LONGEST_BACKOFF_SECONDS)

    def _give_up(self, why: Refusal) -> None:
        self.failure = why
        self.end()

    def _end_by_force(self) -> None:
        for worker in self._workers:
            if worker.process.poll() is None:
                log.error("a worker did not leave in time and is killed pid=%d", worker.process.pid)
                worker.process.kill()
