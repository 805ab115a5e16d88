"""Which fleet answers now, the swap that is on its way, and the fleets that leave."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from storage.promotions import Promotion, accept_promotion, finish_promotion, start_promotion
from supervisor.fleet import Fleet
from supervisor.ledger import Ledger
from supervisor.swap import Swap


@dataclass
class Standing:
    """The workers of a use case. Nothing in here waits, but `end`: call `look` again and again.

    `open_fleet` and `clock` as in `Swap`.
    """

    answering: Fleet
    open_fleet: Callable[[str], Fleet]
    ledger: Ledger
    clock: Callable[[], int]
    probation_seconds: float
    swap: Swap | None = None
    leaving: list[Fleet] = field(default_factory=list)

    def look(self, now: float) -> None:
        """One look at every worker, and one step of the swap. `now`: monotonic seconds."""
        for fleet in self.fleets():
            fleet.look(now)
        self.leaving = [fleet for fleet in self.leaving if not fleet.is_gone]
        requested = self.ledger.requested
        if self.swap is not None:
            if requested is not None and requested.promotion_id == self.swap.promotion.promotion_id:
                requested = None  # read before it was taken up
            if requested is not None:
                self.swap.give_way(requested)
            self.swap.step(now)
            if not self.swap.is_over:
                return
            self._settle(self.swap, requested)
        elif requested is not None:
            self._begin(requested)

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

    def _settle(self, swap: Swap, requested: Promotion | None) -> None:
        """After a swap one fleet answers and all others leave, but one that is wanted again at once."""
        self.swap = None
        self.answering = swap.answering
        others = [fleet for fleet in swap.fleets() if fleet is not self.answering]
        if requested is not None:
            warm = next((one for one in others if one.is_warm and one.bento == requested.tag), None)
            others = [fleet for fleet in others if fleet is not warm]
            self._begin(requested, warm)
        for fleet in others:
            fleet.leave()
        self.leaving += others

    def _begin(self, requested: Promotion, warm: Fleet | None = None) -> None:
        if requested.tag != self.answering.bento:
            self.swap = Swap(
                requested,
                self.answering,
                self.open_fleet,
                self.ledger,
                self.clock,
                self.probation_seconds,
                new=warm,
            )
            return
        # It answers already: a promotion before it was undone, or entered while no supervisor was heard.
        self.ledger.once(lambda connection: _enter(connection, requested.promotion_id, self.clock()))


def _enter(connection: Connection, promotion_id: int, at_ms: int) -> None:
    if start_promotion(connection, promotion_id, at_ms):
        accept_promotion(connection, promotion_id, at_ms)
        finish_promotion(connection, promotion_id, at_ms)
