"""What a swap asks and tells beyond this host: a promotion's row, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from storage.promotions import (
    Promotion,
    accept_promotion,
    fail_promotion,
    finish_promotion,
    start_promotion,
)
from supervisor.ledger import Ledger


class Record(Protocol):
    """The story of one swap, as others are told it."""

    @property
    def tag(self) -> str:
        """The version that shall answer."""

    def claim(self) -> Future[Any]:
        """Whether the swap may begin."""

    def enter(self) -> Future[Any]:
        """Has the version answer from now on; an exception in the future: it may not."""

    def finish(self) -> None:
        """It stays."""

    def fail(self, reason: str) -> None:
        """It does not stay; the version before answers."""


@dataclass
class Promoted:
    """A promotion that this supervisor carries out, as the leading one."""

    promotion: Promotion
    ledger: Ledger
    clock: Callable[[], int]

    @property
    def tag(self) -> str:
        return self.promotion.tag

    def __str__(self) -> str:
        return f"promotion {self.promotion.promotion_id} of {self.promotion.tag}"

    def claim(self) -> Future[Any]:
        number = self.promotion.promotion_id
        return self.ledger.once(lambda connection: start_promotion(connection, number, self.clock()))

    def enter(self) -> Future[Any]:
        number = self.promotion.promotion_id
        return self.ledger.once(lambda connection: accept_promotion(connection, number, self.clock()))

    def finish(self) -> None:
        number = self.promotion.promotion_id
        self.ledger.surely(lambda connection: finish_promotion(connection, number, self.clock()))

    def fail(self, reason: str) -> None:
        number = self.promotion.promotion_id
        self.ledger.surely(lambda connection: fail_promotion(connection, number, self.clock(), reason))


@dataclass
class Followed:
    """The version in Production, which this host goes after; whether it manages is its own affair."""

    tag: str
    failure: str | None = None
    """Why it could not."""

    def __str__(self) -> str:
        return f"going after {self.tag}"

    def claim(self) -> Future[Any]:
        return _at_once(True)

    def enter(self) -> Future[Any]:
        return _at_once(None)

    def finish(self) -> None:
        """It is in Production already."""

    def fail(self, reason: str) -> None:
        self.failure = reason


def _at_once(result: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(result)
    return future
