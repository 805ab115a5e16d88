"""The trainer: a long-lived process that does training runs as they are asked for, one at a time."""

from __future__ import annotations

import datetime
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection

from loop.claims import Claim
from loop.clock import now_ms
from loop.progress import Silence
from loop.refusals import Refusal, StorageUnavailable
from loop.stopping import Stopped
from loop.triggers import PERSON, may_start
from storage.automation import automation
from storage.database import Database
from storage.presence import Presence
from storage.processes import alive
from storage.promotions import next_promotion, open_promotions
from storage.runs import (
    Run,
    RunNotOpen,
    latest_end_ms,
    running_run,
    supersede_run,
    waiting_runs,
)
from training.abandoned import RunTaken, abandoned_run, settle_abandoned
from training.first import ask_for_first
from training.proof import act_on_proof
from training.run import train
from training.triggering import Triggers
from training.unlisted import remove_half_written, remove_unlisted
from use_cases.use_case import UseCase

log = logging.getLogger("rebento.trainer")


class _Stoppable(Silence):
    """Ends the run at its next step at the latest, also where a library swallowed the signal's Stopped."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping

    def stage(self, text: str, total: int | None = None) -> None:
        self.advance()

    def advance(self, steps: int = 1) -> None:
        if self._stopping.is_set():
            raise Stopped


@dataclass
class Trainer:
    """Does the runs of one use case until `stopping` is set."""

    name: str
    read_use_case: Callable[[], UseCase]
    """Read anew for every run: a person may have changed the policy or the candidates."""
    home: Path
    data: Path
    database: Database
    stopping: threading.Event
    is_alone: bool = False
    """Nobody else makes a first version: this asks for one where nothing is in Production."""
    poll_seconds: float = 0.5
    claim: Claim = field(default_factory=lambda: Claim.of_this_process("trainer", now_ms()))
    _said: str = ""
    _is_tidy: bool = False

    def work(self) -> None:
        """Claims and does runs, and asks for them where the rules say so, until `stopping` is set.

        A failed run is marked and logged, a database that is away is waited for: neither ends the trainer.
        """
        triggers = Triggers(self.name, self.home, self.database)
        with Presence(self.database, self.name, self.claim):
            log.info("the trainer waits for training runs use_case=%s", self.name)
            while not self.stopping.wait(self.poll_seconds):
                try:
                    self._take_up()
                    if self.is_alone:
                        self._see_to_a_first()
                    triggers.look(self.read_use_case, now_ms())
                    run = self._next()
                    if run is not None:
                        triggers.hold_back_suspects(self.read_use_case(), now_ms())
                        self._do(run)
                except Stopped:
                    return
                except RunNotOpen:  # another trainer was quicker
                    continue
                except StorageUnavailable as refusal:
                    self._say(f"waiting for the database: {refusal}")
                except Refusal as refusal:  # a use case that cannot be read, say: it may be mended meanwhile
                    self._say(f"no run can start: {refusal}")

    def _take_up(self) -> None:
        """What another process left running is asked for again or marked failed; its Bento is removed."""
        with self.database.reading() as connection:
            is_left = abandoned_run(connection, self.name, self.claim, now_ms()) is not None
        if is_left:
            with self.database.writing() as connection:
                done = settle_abandoned(connection, self.name, str(self.claim), now_ms())
            if done is not None:
                log.warning("%s", done)
                self._is_tidy = False
        if not self._is_tidy:
            for tag in remove_unlisted(self.database, self.name, self.home):
                log.warning("a Bento that no version names was removed from the store bento=%s", tag)
            for name in remove_half_written(self.home, time.time()):
                log.warning("a snapshot that was never finished was removed file=%s", name)
            self._is_tidy = True

    def _see_to_a_first(self) -> None:
        asked = ask_for_first(self.database, self.name, now_ms())
        if asked is not None:
            log.info("nothing is in Production: a first version is asked for run=%s", asked.run_id)

    def _next(self) -> Run | None:
        """The run to do now; older automatic requests, which would see the same rows, end with it."""
        with self.database.reading() as connection:
            waiting = waiting_runs(connection, self.name)
            if not waiting:
                return None
            running = running_run(connection, self.name)
            paused = automation(connection, self.name)
            ended_at_ms = latest_end_ms(connection, self.name)
            changing = _is_changing(connection, self.name, now_ms())
        asked = [run for run in waiting if run.trigger == PERSON]
        run = asked[0] if asked else waiting[-1]
        started, why = may_start(
            run.trigger,
            is_paused=paused.is_paused,
            is_running=running is not None,
            last_ended_at_ms=ended_at_ms,
            cooldown_minutes=self.read_use_case().policy.cooldown_minutes,
            now_ms=now_ms(),
        )
        if started and changing:
            started, why = False, "a promotion is on its way: the next run is judged against what it brings"
        if not started:
            self._say(f"{len(waiting)} waiting: {why}")
            return None
        older = [one for one in waiting if one.run_id != run.run_id and not asked]
        if older:
            with self.database.writing() as connection:
                for one in older:
                    supersede_run(connection, one.run_id, now_ms(), run.run_id)
        return run

    def _do(self, run: Run) -> None:
        log.info("a training run starts run=%s trigger=%s: %s", run.run_id, run.trigger, run.reason)
        use_case = self.read_use_case()

        def on_proven(connection: Connection, tag: str, reason: str) -> str:
            return act_on_proof(connection, use_case, tag, reason, now_ms())

        try:
            outcome = train(
                use_case,
                home=self.home,
                data=self.data,
                database=self.database,
                as_of=None if run.as_of is None else datetime.date.fromisoformat(run.as_of),
                requested=run,
                actor="trainer",
                progress=_Stoppable(self.stopping),
                claimed_by=str(self.claim),
                on_proven=on_proven,
                is_stopping=self.stopping.is_set,
            )
        except (Stopped, Exception) as error:
            self._is_tidy = False
            if isinstance(error, StorageUnavailable):
                raise
            self._say_how_it_ended(run, error)
        else:
            log.info("a training run ended run=%s: %s", run.run_id, outcome.verdict)

    def _say_how_it_ended(self, run: Run, error: BaseException) -> None:
        """Of a run that came to nothing. A failed one is marked so; the next may well succeed."""
        if isinstance(error, RunTaken):
            log.info("another process has the run run=%s", run.run_id)
        elif self.stopping.is_set():
            log.info("the run waits for the next start run=%s", run.run_id)
        else:
            shown = None if isinstance(error, Refusal) else error
            log.error("a training run failed run=%s: %s", run.run_id, error, exc_info=shown)

    def _say(self, sentence: str) -> None:
        """Logs a state once, not at every look."""
        if sentence != self._said:
            log.info("%s", sentence)
        self._said = sentence


def _is_changing(connection: Connection, use_case: str, at_ms: int) -> bool:
    """Whether another champion is about to answer; where nobody serves, none is."""
    if alive(connection, use_case, "supervisor", at_ms=at_ms) is None:
        return False
    return next_promotion(connection, use_case) is not None or any(
        one.state == "starting" for one in open_promotions(connection, use_case)
    )
