"""The one place that decides whether a row keeps the contract: API, form, files, feedback, retraining."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from loop.labels import label_text
from loop.refusals import InvalidRows, Problem
from runner.cells import category, has_null_byte, named, number, outside, short
from use_cases.contract import MISSING_CATEGORY, Contract

#: Problems listed in one refusal; the sentence still counts all of them.
MOST_PROBLEMS = 100
_MISSING = object()
_NAN = math.nan

Row = dict[str, Any]
Warnings = list[dict[str, str]]


class CheckedRows(NamedTuple):
    """Rows that keep the contract, as the graph's blocks. A tuple: the hot path makes one a call."""

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
        self._keys = tuple(k for k in (contract.id_column, contract.time_column) if k is not None)
        self._known = frozenset((*(c.name for c in contract.columns), *self._keys))

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
                    Problem(index, None, f'a row is an object {{"column": value}}, not {named(row)}')
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
            cell, problem = number(value, kind)
            if problem:
                problems.append(Problem(index, name, problem))
            elif cell < low or cell > high:
                warned.append({"column": name, "problem": outside(value, kind, low, high)})
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
            text, problem = category(value, known)
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
            if value is not None and (label_text(value) is None or has_null_byte(value)):
                problems.append(Problem(index, name, f"must be text or a number, not {named(value)}"))
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


def _texts(rows: Sequence[Row], column: str | None) -> list[str | None]:
    if column is None:
        return [None] * len(rows)
    return [label_text(row.get(column)) for row in rows]


def _bound(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


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
