"""Columns as Evidently can take them: it raises on an empty column, and draws a bar for every category."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset

from loop.drift import ColumnDrift, DriftNumbers

if TYPE_CHECKING:
    from reporting.evidently_report import Sides

MISSING, OTHER, VALUE = "(missing)", "(other)", "(a value)"
MOST_CATEGORIES = 40
"""Bars that a person can still tell apart; the rarer categories of both sides share one."""


class ComparedColumns:
    """Columns of both sides under names of their own, each with the drift that was measured on all rows."""

    def __init__(self) -> None:
        self.drifts: dict[str, ColumnDrift] = {}
        self.notes: list[str] = []
        self._reference: dict[str, np.ndarray] = {}
        self._current: dict[str, np.ndarray] = {}
        self._categories: list[str] = []

    def add(self, drift: ColumnDrift, reference: np.ndarray, current: np.ndarray, is_number: bool) -> None:
        """Takes a column (rows of the side,). Text is object, None where missing; numbers are float64."""
        name = self._free(drift)
        if is_number:
            reference, current = _finite(reference), _finite(current)
            if np.isnan(reference).all() or np.isnan(current).all():
                # Evidently raises on a side without a value: how many are missing it can still show.
                self.notes.append(f"{name!r} has no value on one side: only what is missing is compared.")
                reference, current, is_number = _presence(reference), _presence(current), False
        else:
            reference, current = _frequent(_texts(reference), _texts(current))
        if not is_number:
            self._categories.append(name)
        self.drifts[name] = drift
        self._reference[name], self._current[name] = reference, current

    def of_group(self, *groups: str) -> list[str]:
        """Names as shown, in order."""
        return [name for name, drift in self.drifts.items() if drift.group in groups]

    def datasets(self, names: Iterable[str]) -> tuple[Dataset, Dataset]:
        """Reference and current of these columns, which have as many rows as each other."""
        names = list(names)
        categories = [name for name in names if name in self._categories]
        definition = DataDefinition(
            numerical_columns=[name for name in names if name not in self._categories],
            categorical_columns=categories,
        )
        reference, current = (
            Dataset.from_pandas(
                pd.DataFrame({name: side[name] for name in names}), data_definition=definition
            )
            for side in (self._reference, self._current)
        )
        return reference, current

    def _free(self, drift: ColumnDrift) -> str:
        name = drift.name if drift.name not in self.drifts else f"{drift.name} ({drift.group})"
        while name in self.drifts:
            name += "'"
        return name


def compared_columns(sides: Sides, drift: DriftNumbers) -> ComparedColumns:
    """Every column whose drift was measured, where both sides have rows; `notes` say what is left out."""
    columns = ComparedColumns()
    reference, current = sides.reference, sides.current
    kinds = {column.name: column.kind for column in sides.contract.columns}
    if len(reference.rows) and len(current.rows):
        for one in drift.of_group("input"):
            before, now = reference.rows[one.name].to_numpy(), current.rows[one.name].to_numpy()
            if kinds[one.name] == "boolean":
                before, now = _truths(before), _truths(now)
            columns.add(one, before, now, kinds[one.name] in ("number", "date"))
        places = {name: place for place, name in enumerate(current.dimensions)}
        for one in drift.of_group("embedding"):
            place = places[one.name]
            columns.add(one, reference.vectors[:, place], current.vectors[:, place], is_number=True)
    else:
        side = "current window" if len(reference.rows) else "reference"
        columns.notes.append(f"The {side} has no rows: no column can be compared.")
    for group, before, now in (
        ("prediction", reference.answered.predictions, current.answered.predictions),
        ("target", reference.answered.labels, current.answered.labels),
    ):
        before, now = _given(before), _given(now)
        if len(before) and len(now):
            for one in drift.columns:
                if one.group == group:
                    columns.add(one, before, now, is_number=False)
        else:
            side = "current window" if len(before) else "reference"
            word = "true label" if group == "target" else "prediction that may be compared"
            columns.notes.append(f"The {side} has no {word}: the {group} cannot be compared.")
    return columns


def _given(values: np.ndarray) -> np.ndarray:
    return np.array([value for value in values if value is not None], dtype=object)


def _finite(values: np.ndarray) -> np.ndarray:
    numbers = pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(dtype=np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _presence(numbers: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(numbers), MISSING, VALUE).astype(object)


def _truths(numbers: np.ndarray) -> np.ndarray:
    return np.array([None if np.isnan(one) else str(bool(one)).lower() for one in _finite(numbers)], object)


def _texts(values: np.ndarray) -> np.ndarray:
    return np.where(pd.isna(values), MISSING, pd.Series(values, dtype=object).astype(str)).astype(object)


def _frequent(reference: np.ndarray, current: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    counts = pd.Series(np.concatenate([reference, current])).value_counts()
    if len(counts) <= MOST_CATEGORIES:
        return reference, current
    kept = set(counts.index[: MOST_CATEGORIES - 1]) | {MISSING}
    one, other = (
        np.array([value if value in kept else OTHER for value in side], dtype=object)
        for side in (reference, current)
    )
    return one, other
