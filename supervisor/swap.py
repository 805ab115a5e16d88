"""One swap of Bentos on this host, without a moment in which nobody answers.

The new Bento's workers are loaded beside the old ones and stand by. Then the version's stage is changed, the
new ones accept, the old ones stand by; both are on the same listening socket. Until the probation ends the
old ones stay warm, and if the new ones do badly they accept again at once. The host that leads does so for a
promotion; the others go after the version that it put in Production, by the same steps.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

from loop.probation import Failed, look
from loop.refusals import Refusal
from storage.promotions import Promotion
from supervisor.answers import Answers, answers_of
from supervisor.fleet import Fleet
from supervisor.record import Record

log = logging.getLogger("rebento.supervisor")

Phase = Literal[
    "claiming",  # the request is being taken up
    "loading",  # the new workers check their golden rows; the old ones answer
    "entering",  # the stage is being changed
    "opening",  # the new ones are told to accept
    "probation",  # the new ones answer, the old ones are warm
    "returning",  # the old ones are told to accept again
    "over",
]

#: Longest wait for workers that are loaded to do as they are told.
_OBEY_SECONDS = 10.0


@dataclass
class Swap:
    """Moves the answering from one fleet to another. Nothing in here waits: call `step` again and again.

    `new` is given where the Bento's workers are warm already.
    """

    record: Record
    old: Fleet
    open_fleet: Callable[[str], Fleet]
    """Workers of a Bento that are to stand by, by its tag. Raises Refusal where its files are gone."""
    probation_seconds: float
    new: Fleet | None = None
    phase: Phase = "claiming"
    answering: Fleet = field(init=False)
    """The fleet whose version is in Production."""
    _left: list[Fleet] = field(default_factory=list)
    _answer: Future[Any] | None = None
    _since: float = 0.0
    _crashes_before: int = 0
    _answers_before: Answers = field(default_factory=lambda: Answers(0, 0))

    def __post_init__(self) -> None:
        self.answering = self.old
        self._answer = self.record.claim()

    @property
    def is_over(self) -> bool:
        return self.phase == "over"

    def fleets(self) -> list[Fleet]:
        """Every fleet that takes part, those that leave as well."""
        return [*self._left, self.old, *([] if self.new is None else [self.new])]

    def step(self, now: float) -> None:
        """Goes on as far as it can now. `now`: monotonic seconds."""
        before = self.phase
        match self.phase:
            case "claiming":
                self._claiming()
            case "loading":
                self._loading()
            case "entering":
                self._entering()
            case "opening":
                self._opening(now)
            case "probation":
                self._probation(now)
            case "returning":
                self._returning(now)
        if self.phase != before:
            self._since = now
            log.info("%s: %s", self.record, self.phase)

    def give_way(self, requested: Promotion) -> None:
        """Ends early for a person's newer request, where the phase lets it; the old fleet may stay warm.

        A rollback is asked for because something is wrong now, most likely with what is on probation. What
        Rebento itself asks for waits until the probation has shown something.
        """
        if requested.kind != "rollback" and requested.actor != "person":
            return
        self.make_way(f"{requested.actor} asked for {requested.tag} before its workers were ready")

    def make_way(self, reason: str) -> None:
        """As `give_way`, for whatever has come in between."""
        if self.phase == "loading":
            self._fail(reason)
        elif self.phase == "probation":
            self._finish()

    def abandon(self) -> None:
        """Ends at once and tells nobody: another supervisor has settled it."""
        log.warning("%s is left to the supervisor that leads", self.record)
        self.phase = "over"

    def _claiming(self) -> None:
        if self._answer is None or not self._answer.done():
            return
        if self._answer.exception() is not None or not self._answer.result():
            self.phase = "over"  # withdrawn, or the database is away: then it is still requested later
        elif self.new is None:
            try:
                self.new = self.open_fleet(self.record.tag)
            except Refusal as refusal:
                self._fail(str(refusal))
            else:
                self._load()
        else:
            self._load()

    def _load(self) -> None:
        assert self.new is not None
        # Warm workers may have crashed in an earlier time of theirs; what they do from here on counts.
        self._crashes_before = self.new.crashes
        self.phase = "loading"

    def _loading(self) -> None:
        assert self.new is not None
        if self.new.failure is not None:
            self._fail(str(self.new.failure))
        elif self.new.is_ready:
            self._answer = self.record.enter()
            self.phase = "entering"

    def _entering(self) -> None:
        assert self.new is not None and self._answer is not None
        if not self._answer.done():
            return
        if (error := self._answer.exception()) is not None:
            self._fail(f"its workers were ready, but it could not be put in Production: {error}")
            return
        # Warm workers may have answered in an earlier time of theirs.
        self._answers_before = self._answers()
        self.answering = self.new
        self.new.order("accept")
        self.phase = "opening"

    def _opening(self, now: float) -> None:
        assert self.new is not None
        if self.new.obeys:
            if self.old.takes_orders:
                self.old.order("standby")
            else:  # a Bento from before there were orders: it can only leave, and is started anew at need
                self.old.end()
            self.phase = "probation"
        elif now - self._since > _OBEY_SECONDS:
            self._return(f"its workers did not begin to accept within {_OBEY_SECONDS:g} seconds")

    def _probation(self, now: float) -> None:
        assert self.new is not None
        answers = self._answers()
        seen = look(
            answers=answers.answers - self._answers_before.answers,
            errors=answers.errors - self._answers_before.errors,
            crashes=self.new.crashes - self._crashes_before,
            seconds=now - self._since,
            probation_seconds=self.probation_seconds,
        )
        if isinstance(seen, Failed):
            self._return(seen.reason)
        elif seen == "passed":
            self._finish()

    def _returning(self, now: float) -> None:
        assert self.new is not None
        waited = now - self._since > _OBEY_SECONDS + (0 if self.old.is_ready else self.old.ready_seconds)
        if self.old.obeys or (waited and self.old.accepting):
            self.phase = "over"
        elif waited or self.old.failure is not None:
            log.error("%s does not come back; %s goes on answering", self.old.bento, self.new.bento)
            self.answering = self.new
            self.phase = "over"

    def _answers(self) -> Answers:
        assert self.new is not None
        return answers_of(self.new.pids, self.new.launch.counters.folder)

    def _finish(self) -> None:
        self.record.finish()
        self.phase = "over"

    def _fail(self, reason: str) -> None:
        self.record.fail(reason)
        log.error("%s failed: %s", self.record, reason)
        self.phase = "over"

    def _return(self, reason: str) -> None:
        """The old ones accept at once; the stage follows."""
        if self.old.is_leaving:
            try:
                again = self.open_fleet(self.old.bento)
            except Refusal as refusal:
                log.error("%s does badly (%s), but cannot be replaced: %s", self.record.tag, reason, refusal)
                self._finish()
                return
            self._left.append(self.old)
            self.old = again
        self.old.order("accept")
        self.answering = self.old
        self._fail(reason)
        self.phase = "returning"
