"""Which fleet answers now, the swap that is on its way, and the fleets that leave."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from storage.promotions import Promotion, enter_promotion
from supervisor.fleet import Fleet
from supervisor.ledger import Ledger
from supervisor.record import Followed, Promoted
from supervisor.swap import Swap

log = logging.getLogger("rebento.supervisor")

_FIRST_BACKOFF_SECONDS = 5.0
_LONGEST_BACKOFF_SECONDS = 600.0


@dataclass
class Lag:
    """A version in Production that this host could not go after, and when it tries again."""

    tag: str
    again_at: float
    """Monotonic seconds."""
    backoff_seconds: float


@dataclass
class Standing:
    """The workers of a use case. Nothing in here waits, but `end`: call `look` again and again.

    The supervisor that leads carries out what is requested. Each, that one too, goes after the version in
    Production where it answers with another; one whose workers do not load here is tried again later and
    later, while the old ones answer. `open_fleet` as in `Swap`; `clock` gives milliseconds UTC.
    """

    answering: Fleet
    open_fleet: Callable[[str], Fleet]
    ledger: Ledger
    clock: Callable[[], int]
    probation_seconds: float
    swap: Swap | None = None
    leaving: list[Fleet] = field(default_factory=list)
    lag: Lag | None = None

    def look(self, now: float) -> None:
        """One look at every worker, and one step of the swap. `now`: monotonic seconds."""
        for fleet in self.fleets():
            fleet.look(now)
        self.leaving = [fleet for fleet in self.leaving if not fleet.is_gone]
        self.ledger.answers_with(self.answering.bento)
        requested, champion = self.ledger.requested, self.ledger.champion
        if self.swap is not None:
            requested = self._disturb(self.swap, requested, champion)
            self.swap.step(now)
            if not self.swap.is_over:
                return
            self._settle(self.swap, requested, champion, now)
        elif requested is not None:
            self._begin(requested)
        elif champion is not None:
            self._go_after(champion, now)

    def fleets(self) -> list[Fleet]:
        """Every fleet that has processes, or is to have some."""
        return [*self.leaving, *([self.answering] if self.swap is None else self.swap.fleets())]

    def processes(self) -> list[int]:
        """Ids of the workers that run."""
        return [pid for fleet in self.fleets() for pid in fleet.processes]

    def descriptors(self) -> list[int]:
        """What to wait on for news of workers."""
        return [fd for fleet in self.fleets() for fd in fleet.descriptors()]

    @property
    def is_busy(self) -> bool:
        """Whether the database's answer is waited for, of which no descriptor tells."""
        return self.swap is not None and self.swap.phase != "probation"

    def end(self, pause: Callable[[], None]) -> None:
        """Lets every worker answer what it holds, and waits until all have left; `pause` between looks."""
        for fleet in self.fleets():
            fleet.end()
        while not all(fleet.is_gone for fleet in self.fleets()):
            for fleet in self.fleets():
                fleet.look(time.monotonic())
            pause()

    def _disturb(self, swap: Swap, requested: Promotion | None, champion: str | None) -> Promotion | None:
        """What has come in between, and may end the swap early; the request that is not the swap's own."""
        record = swap.record
        if isinstance(record, Promoted):
            if requested is not None and requested.promotion_id == record.promotion.promotion_id:
                requested = None  # read before it was taken up
            if not self.ledger.is_leading:
                swap.abandon()
        elif requested is None and champion not in (None, record.tag):
            swap.make_way(f"{champion} is in Production by now")
        if requested is not None:
            swap.give_way(requested)
        return requested

    def _settle(self, swap: Swap, requested: Promotion | None, champion: str | None, now: float) -> None:
        """After a swap one fleet answers and all others leave, but one that is wanted again at once."""
        self.swap = None
        self.answering = swap.answering
        if isinstance(swap.record, Followed) and champion in (None, swap.record.tag):
            self._note(swap.record, now)
        others = [fleet for fleet in swap.fleets() if fleet is not self.answering]
        wanted = champion if requested is None else requested.tag
        warm = next((one for one in others if one.is_warm and one.bento == wanted), None)
        if requested is not None:
            others = [fleet for fleet in others if fleet is not warm]
            self._begin(requested, warm)
        elif warm is not None and champion is not None:
            self._go_after(champion, now, warm)
            others = [fleet for fleet in others if self.swap is None or fleet is not warm]
        for fleet in others:
            fleet.leave()
        self.leaving += others

    def _begin(self, requested: Promotion, warm: Fleet | None = None) -> None:
        if requested.tag == self.answering.bento:
            # A promotion before it was undone, or it was entered while no supervisor was heard.
            self.ledger.once(
                lambda connection: enter_promotion(connection, requested.promotion_id, self.clock())
            )
            return
        self._swap(Promoted(requested, self.ledger, self.clock), warm)

    def _go_after(self, champion: str, now: float, warm: Fleet | None = None) -> None:
        if champion == self.answering.bento:
            self.lag = None
        elif self.lag is None or self.lag.tag != champion or now >= self.lag.again_at:
            log.info("%s is in Production, %s answers here", champion, self.answering.bento)
            self._swap(Followed(champion), warm)

    def _swap(self, record: Promoted | Followed, warm: Fleet | None) -> None:
        self.swap = Swap(record, self.answering, self.open_fleet, self.probation_seconds, new=warm)

    def _note(self, record: Followed, now: float) -> None:
        if record.failure is None:
            self.lag = None
            return
        before = 0.0 if self.lag is None or self.lag.tag != record.tag else self.lag.backoff_seconds
        wait = min(max(before * 2, _FIRST_BACKOFF_SECONDS), _LONGEST_BACKOFF_SECONDS)
        self.lag = Lag(record.tag, now + wait, wait)
        log.error(
            "%s is in Production, but not here: %s; %s goes on answering and this is tried again "
            "wait_seconds=%.0f",
            record.tag, record.failure, self.answering.bento, wait,
        )  # fmt: skip
