"""Everything Rebento declines, as one family of errors.

The text of each is the sentence a person reads: what happened, which value, what to do next. Inner
folders raise these; only entry points know statuses and exit codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one value. `row` counts from 0 in the call or file; None: the whole of it."""

    row: int | None
    column: str | None
    problem: str

    def as_dict(self) -> dict[str, Any]:
        return {"row": self.row, "column": self.column, "problem": self.problem}


class Refusal(Exception):
    """A request that Rebento declines; its text says what to do next."""


class InvalidRows(Refusal):
    """Rows that break the contract. Nothing of the call was stored."""

    def __init__(
        self, sentence: str, detail: Sequence[Problem] = (), missing_features: Sequence[str] = ()
    ) -> None:
        super().__init__(sentence)
        self.detail = tuple(detail)
        self.missing_features = tuple(missing_features)


class UnknownPrediction(Refusal):
    """A prediction id that this installation never gave out. Nothing of the call was stored."""

    def __init__(self, sentence: str, detail: Sequence[Problem] = ()) -> None:
        super().__init__(sentence)
        self.detail = tuple(detail)


class Unauthorised(Refusal):
    """No token, or a wrong one, where a token is set."""


class StorageUnavailable(Refusal):
    """The database cannot be written now; the call may be sent again later."""


class SettingsMistake(Refusal):
    """One or more settings are wrong; the text lists all of them."""


class UseCaseMistake(Refusal):
    """A use case that cannot be read as it stands; the text names each mistake with its key."""


class DataNotFound(Refusal):
    """Rows that a use case names are not where it says; the text says where to put them."""


class NotTrainable(Refusal):
    """Rows from which no classifier can be trained (one class, too few rows, a numeric target)."""


class BrokenPackage(Refusal):
    """A Bento or model whose files are missing or answer differently from when it was built."""


class NothingInProduction(Refusal):
    """No Bento of this use case is in Production; train one first."""
