"""The one place that decides whether a row keeps the contract: API, form, files, feedback, retraining."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from loop.labels import label_text
from loop.refusals import InvalidRows, Problem
from use_cases.contract import MISSING_CATEGORY, Contract

#: Problems listed in one refusal; the sentence still counts all of them.
MOST_PROBLEMS = 100
_MISSING = object()
_NAN = math.nan
# The graph computes in 32 bits, where anything larger would silently become infinite.
_LARGEST = float(np.finfo(np.float32).max)
_EPOCH = datetime(1970, 1, 1)

Row = dict[str, Any]
Warnings = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class CheckedRows:
    """Rows that keep the contract, as the graph's blocks."""

    rows: list[Row]
    """As they came."""
    numbers: np.ndarray
    """float32 (rows, number columns); NaN where missing, booleans 0 or 1, dates days since 1970-01-01."""
    categories: np.ndarray
    """object of str (rows, category columns); MISSING_CATEGORY where missing."""
    entity_ids: list[str | None]
    event_times: list[str | None]
    warnings: list[Warnings]
    """For each row: what was accepted although training never saw it."""


def together(several: Sequence[CheckedRows]) -> CheckedRows:
    """The rows of several calls as one, in order."""
    return CheckedRows(
        rows=[row for one in several for row in one.rows],
        numbers=np.concatenate([one.numbers for one in several]),
        categories=np.concatenate([one.categories for one in several]),
        entity_ids=[entity for one in several for entity in one.entity_ids],
        event_times=[moment for one in several for moment in one.event_times],
        warnings=[warned for one in several for warned in one.warnings],
    )


class RowChecker:
    """Checks rows against a contract. Built once, used for every call; safe to share between threads."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._numbers = [
            (c.name, c.kind, c.nullable, _bound(c.minimum, -math.inf), _bound(c.maximum, math.inf))
            for c in contract.number_columns
        ]
        self._categories = [(c.name, c.nullable, frozenset(c.categories)) for c in contract.category_columns]
        self._feature_names = frozenset(c.name for c in contract.columns)
        self._keys = tuple(k for k in (contract.id_column, contract.time_column) if k is not None)
        self._known = self._feature_names | set(self._keys)

    def check(self, rows: Sequence[Any]) -> CheckedRows:
        """The rows as blocks. Raises InvalidRows, which names every problem, if any row is wrong."""
        if not rows:
            raise InvalidRows("rows is empty: send at least one row")
        checked, _, problems, missing = self._check(rows)
        if problems:
            raise _refusal(problems, missing, len(rows))
        return checked

    def check_each(self, rows: Sequence[Any]) -> tuple[CheckedRows, list[int], list[Problem]]:
        """The good rows as blocks, their positions in `rows`, and the problems of the others."""
        checked, kept, problems, _ = self._check(rows)
        return checked, kept, problems

    def _check(self, rows: Sequence[Any]) -> tuple[CheckedRows, list[int], list[Problem], list[str]]:
        numbers: list[float] = []
        categories: list[str] = []
        warnings: list[Warnings] = []
        problems: list[Problem] = []
        missing: dict[str, None] = {}
        kept: list[int] = []
        width, depth = len(self._numbers), len(self._categories)
        for index, row in enumerate(rows):
            found_before = len(problems)
            warned: Warnings = []
            if isinstance(row, dict):
                self._check_row(index, row, numbers, categories, warned, problems, missing)
            else:
                problems.append(
                    Problem(index, None, f'a row is an object {{"column": value}}, not {_kind(row)}')
                )
            if len(problems) == found_before:
                kept.append(index)
                warnings.append(warned)
            else:
                del numbers[len(kept) * width :], categories[len(kept) * depth :]
        good = list(rows) if len(kept) == len(rows) else [rows[i] for i in kept]
        checked = CheckedRows(
            rows=good,
            numbers=np.array(numbers, dtype=np.float32).reshape(len(kept), width),
            categories=np.array(categories, dtype=object).reshape(len(kept), depth),
            entity_ids=_texts(good, self.contract.id_column),
            event_times=_texts(good, self.contract.time_column),
            warnings=warnings,
        )
        return checked, kept, problems, list(missing)

    def _check_row(
        self,
        index: int,
        row: Row,
        numbers: list[float],
        categories: list[str],
        warned: Warnings,
        problems: list[Problem],
        missing: dict[str, None],
    ) -> None:
        seen = 0
        for name, kind, nullable, low, high in self._numbers:
            value = row.get(name, _MISSING)
            if value is _MISSING or value is None:
                seen += value is None
                if nullable:
                    numbers.append(_NAN)
                else:
                    _lacking(index, name, value, problems, missing)
                continue
            seen += 1
            cell, problem = _number(value, kind)
            if problem:
                problems.append(Problem(index, name, problem))
            elif cell < low or cell > high:
                warned.append({"column": name, "problem": _outside(value, kind, low, high)})
            numbers.append(cell)
        for name, nullable, known in self._categories:
            value = row.get(name, _MISSING)
            if value is _MISSING or value is None or value == "":
                seen += value is not _MISSING
                if nullable:
                    categories.append(MISSING_CATEGORY)
                else:
                    _lacking(index, name, value, problems, missing)
                continue
            seen += 1
            if value.__class__ is str and value in known:
                categories.append(value)
                continue
            text, problem = _category(value, known)
            if problem:
                problems.append(Problem(index, name, problem))
            elif text not in known:
                warned.append({"column": name, "problem": f"{short(text)} was never seen in training"})
            categories.append(text)
        for name in self._keys:
            value = row.get(name, _MISSING)
            if value is _MISSING:
                continue
            seen += 1
            if value is not None and (label_text(value) is None or _has_null_byte(value)):
                problems.append(Problem(index, name, f"must be text or a number, not {_kind(value)}"))
        if seen != len(row):
            for name in row:
                if name not in self._known:
                    problems.append(Problem(index, str(name)[:200], self._unknown(name)))

    def _unknown(self, name: str) -> str:
        if name == self.contract.target:
            return "is the target; leave it out of the row"
        return "is not a column of this use case"


def _lacking(index: int, name: str, value: Any, problems: list[Problem], missing: dict[str, None]) -> None:
    missing[name] = None
    what = "is required and missing" if value is _MISSING else "is empty, and training never saw it empty"
    problems.append(Problem(index, name, what))


def _number(value: Any, kind: str) -> tuple[float, str]:
    """A cell of the numbers block and an empty text, or what is wrong with it."""
    if kind == "boolean":
        if value is True or value is False:
            return float(value), ""
        return 0.0, f"must be true or false, not {_kind(value)}"
    if kind == "date":
        return _days(value)
    if value.__class__ is float or value.__class__ is int:
        try:
            number = float(value)
        except OverflowError:  # an integer of more than 308 digits
            return 0.0, "is too large for a 32-bit number"
        if -_LARGEST <= number <= _LARGEST:
            return number, ""
        if math.isnan(number):
            return 0.0, "is NaN; send null for a missing value"
        if math.isinf(number):
            return 0.0, "is infinite; send a finite number"
        return 0.0, "is too large for a 32-bit number"
    return 0.0, f"must be a number, not {_kind(value)}"


def _days(value: Any) -> tuple[float, str]:
    if not isinstance(value, str):
        return 0.0, f'must be a date as text ("2024-01-31"), not {_kind(value)}'
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return 0.0, f"{short(value)} is no ISO date (2024-01-31 or 2024-01-31T12:00:00Z)"
    if moment.tzinfo is not None:
        try:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        except OverflowError:
            return 0.0, f"{short(value)} lies outside the calendar"
    return (moment - _EPOCH).total_seconds() / 86_400, ""


def _category(value: Any, known: frozenset[str]) -> tuple[str, str]:
    if isinstance(value, str):
        return ("", "contains a null byte") if "\x00" in value else (value, "")
    text = label_text(value)
    # A code such as 31 may come as a number where training knew it as text.
    if text is not None and text in known:
        return text, ""
    return "", f"must be text, not {_kind(value)}"


def _outside(value: Any, kind: str, low: float, high: float) -> str:
    if kind == "date":
        first, last = (datetime.fromtimestamp(d * 86_400, UTC).date().isoformat() for d in (low, high))
        return f"{value} lies outside the dates seen in training, {first} to {last}"
    return f"{value:g} lies outside the range seen in training, {low:g} to {high:g}"


def _has_null_byte(value: Any) -> bool:
    return isinstance(value, str) and "\x00" in value


def _texts(rows: Sequence[Row], column: str | None) -> list[str | None]:
    if column is None:
        return [None] * len(rows)
    return [label_text(row.get(column)) for row in rows]


def _bound(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def short(value: Any, most: int = 60) -> str:
    """A value as it may stand in a sentence: quoted, at most about `most` characters."""
    text = repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        try:
            return f"the number {value:g}"
        except OverflowError:
            return "a very large number"
    if isinstance(value, str):
        return f"the text {short(value)}"
    return {list: "a list", dict: "an object"}.get(type(value), type(value).__name__)


def _refusal(problems: list[Problem], missing: list[str], rows: int) -> InvalidRows:
    if missing:
        sentence = f"required columns are missing: {', '.join(missing)}"
        others = sum(1 for problem in problems if problem.column not in missing)
        if others:
            sentence += f"; and {others} other problem{'s' if others > 1 else ''}, see detail"
    else:
        first = problems[0]
        where = f"row {first.row}" + (f", {first.column}" if first.column else "")
        sentence = f"{where}: {first.problem}"
        if len(problems) > 1:
            sentence += f" (and {len(problems) - 1} more problems in {rows} rows, see detail)"
    return InvalidRows(sentence, problems[:MOST_PROBLEMS], missing)
