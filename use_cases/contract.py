"""The contract: the columns a row must have. Derived from the training rows, enforced everywhere.

Reading a contract needs no pandas, because the serving image has none; deriving one does
(`use_cases.derive`).
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["number", "category", "boolean", "date"]
Value = float | int | str | bool | None

#: What stands for a missing category in the graph's text block. No training value may be equal to it.
MISSING_CATEGORY = "(missing)"


class Column(BaseModel):
    """One feature column as the training rows showed it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Kind
    nullable: bool
    """May it be missing: true where at least one training row had no value."""
    minimum: float | None = None
    """Smallest value seen. Numbers in their own unit, dates in days since 1970-01-01."""
    maximum: float | None = None
    whole: bool = False
    """Only whole numbers were seen (a form may step by 1)."""
    quantiles: dict[str, float] = {}
    """Numbers and dates: the 0.05, 0.25, 0.5, 0.75 and 0.95 quantiles, keyed by their text."""
    categories: dict[str, float] = {}
    """Categories and booleans: each value seen with its share of the rows, most frequent first."""
    typical: Value = None
    """Median (numbers, dates) or most frequent value: what `/explain` puts in a column's place."""
    example: Value = None
    """A value of a real training row, as it would be sent as JSON."""


class Contract(BaseModel):
    """Everything a caller must know about the rows of one use case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    use_case: str
    target: str
    classes: tuple[str, ...]
    """Labels in the order of the graph's probabilities (sorted text)."""
    positive: tuple[str, ...] = ()
    """The class or classes of interest; precision, recall and F1 of two classes speak of these."""
    id_column: str | None = None
    time_column: str | None = None
    columns: tuple[Column, ...]

    @cached_property
    def number_columns(self) -> tuple[Column, ...]:
        """Columns of the graph's float32 block `numbers`: numbers, booleans (0, 1), dates (days)."""
        return tuple(column for column in self.columns if column.kind != "category")

    @cached_property
    def category_columns(self) -> tuple[Column, ...]:
        """Columns of the graph's text block `categories`, in order."""
        return tuple(column for column in self.columns if column.kind == "category")

    def example_row(self) -> dict[str, Value]:
        """A row that `/predict` accepts."""
        return {column.name: column.example for column in self.columns}

    @classmethod
    def read(cls, path: Path) -> Contract:
        return cls.model_validate_json(path.read_text(encoding="utf-8"))

    def write(self, path: Path) -> None:
        path.write_text(self.model_dump_json(indent=1), encoding="utf-8")
