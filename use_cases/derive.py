"""The contract that training rows show, and rows of a DataFrame as a caller would send them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from loop.labels import label_text
from loop.refusals import NotTrainable
from use_cases.contract import Column, Contract, Kind, Value
from use_cases.kinds import booleans, dates, numbers, texts, tidy_column, without_blanks
from use_cases.target import likely_positive
from use_cases.use_case import KNOWN_AT, UseCase

MOST_CATEGORIES = 200
"""Known categories of a column: the most frequent ones. A rarer one is accepted with a warning."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
DAY = np.timedelta64(1, "D")


def derive_contract(use_case: UseCase, rows: pd.DataFrame) -> Contract:
    """The contract that these rows (of `load_rows`, or a part of them) show.

    Shares of categories are of all rows, so with missing values they sum to less than 1. The examples of
    all columns are one real row, one without missing values where there is any. Raises NotTrainable where
    there is no feature column or a number is infinite.
    """
    not_features = {use_case.target, use_case.id, use_case.time, KNOWN_AT}
    tidy: dict[str, tuple[pd.Series, Kind]] = {
        str(name): tidy_column(rows[name], use_case.kinds.get(name))
        for name in rows.columns
        if name not in not_features
    }
    if not tidy or rows.empty:
        raise NotTrainable(
            f"{use_case.name} has no {'rows' if tidy else 'feature columns besides target, id and time'}."
        )
    readable = {name: _readable(values, kind) for name, (values, kind) in tidy.items()}
    complete = np.logical_and.reduce([values.notna().to_numpy() for values in readable.values()])
    example = int(np.argmax(complete))  # the first row without missing values, else row 0
    labels = rows[use_case.target].map(label_text).dropna()
    classes = tuple(sorted(set(labels)))
    positive = use_case.positive
    if not positive and len(classes) == 2:
        positive = (likely_positive(labels),)
    return Contract(
        use_case=use_case.name,
        target=use_case.target,
        classes=classes,
        positive=positive,
        id_column=use_case.id,
        time_column=use_case.time,
        columns=tuple(
            _column(name, kind, readable[name], nullable=bool(values.isna().any()), example=example)
            for name, (values, kind) in tidy.items()
        ),
    )


def frame_rows(contract: Contract, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The DataFrame's rows as a caller would send them: one JSON-ready dict a row.

    They hold the contract's columns with id and time (as text), as far as the DataFrame has them, and no
    others. Missing values are None; a value that does not fit its column's kind stays as it is, for
    `runner.rows.RowChecker` to refuse.
    """
    columns: dict[str, list[Any]] = {}
    for column in contract.columns:
        if column.name in rows.columns:
            columns[column.name] = _cells(rows[column.name], column)
    for key in (contract.id_column, contract.time_column):
        if key is not None and key in rows.columns:
            columns[key] = _key_cells(rows[key])
    if not columns:
        return [{} for _ in range(len(rows))]
    names = tuple(columns)
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _readable(values: pd.Series, kind: Kind) -> pd.Series:
    """The column with what its kind cannot read as missing."""
    if kind == "number":
        return numbers(values)
    if kind == "date":
        return dates(values)
    return values


def _column(name: str, kind: Kind, values: pd.Series, *, nullable: bool, example: int) -> Column:
    seen = values.dropna()
    if kind in ("category", "boolean"):
        shares = _shares(seen if kind == "category" else seen.map(bool), len(values))
        first = next(iter(shares), None)
        return Column(
            name=name,
            kind=kind,
            nullable=nullable,
            categories=shares,
            typical=first if kind == "category" or first is None else first == "true",
            example=_value(values.iloc[example], kind),
        )
    if seen.empty:
        return Column(name=name, kind=kind, nullable=nullable)
    amounts = (seen - pd.Timestamp(0)) / DAY if kind == "date" else seen.astype("float64")
    median = seen.median() if kind == "number" else seen.sort_values().iloc[(len(seen) - 1) // 2]
    return Column(
        name=name,
        kind=kind,
        nullable=nullable,
        minimum=float(amounts.min()),
        maximum=float(amounts.max()),
        whole=kind == "number" and bool((amounts % 1 == 0).all()),
        quantiles={str(level): float(amounts.quantile(level)) for level in QUANTILES},
        typical=_value(median, kind),
        example=_value(values.iloc[example], kind),
    )


def _shares(seen: pd.Series, rows: int) -> dict[str, float]:
    """Value -> share of all rows, most frequent first, equals by their text."""
    counts = sorted(seen.value_counts().items(), key=lambda item: (-int(item[1]), str(item[0])))
    return {
        str(label_text(v)) if isinstance(v, bool) else str(v): int(n) / rows
        for v, n in counts[:MOST_CATEGORIES]
    }


def _value(value: Any, kind: Kind) -> Value:
    """One value as JSON would carry it."""
    if value is None or pd.isna(value):
        return None
    if kind == "date":
        return _iso(np.array([value], dtype="datetime64[ns]"))[0]
    if kind == "boolean":
        return bool(value)
    if kind == "number":
        return _plain(float(value))
    return str(value)


def _iso(moments: np.ndarray) -> list[str]:
    """ISO text of datetime64 values, as short as loses nothing in any of them: days, seconds or finer."""
    for unit in ("D", "s", "us"):
        if unit == "us" or (moments == moments.astype(f"datetime64[{unit}]")).all():
            break
    return [str(text) for text in np.datetime_as_string(moments, unit=unit).tolist()]


def _cells(values: pd.Series, column: Column) -> list[Any]:
    values = without_blanks(values)
    missing = values.isna().to_numpy()
    if column.kind == "category":
        return list(texts(values))
    if column.kind == "number":
        read = numbers(values)
        cells = _number_cells(read, column.whole)
    elif column.kind == "boolean":
        read = booleans(values, more=True)
        cells = read.tolist()
    else:
        read = dates(values)
        cells = _date_cells(read)
    odd = np.flatnonzero(read.isna().to_numpy() & ~missing)
    for position in odd.tolist():
        cells[position] = values.iloc[position]
    return cells


def _number_cells(read: pd.Series, whole: bool) -> list[Any]:
    cells: list[Any] = read.tolist()
    if read.dtype.kind != "f":
        return cells
    if whole:
        return [None if c != c else _plain(c) for c in cells]
    return [None if c != c else c for c in cells]


def _plain(number: float) -> float | int:
    """5 for 5.0. Beyond 2**53 a float is no exact whole number, and beyond 64 bits JSON carries none."""
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _date_cells(read: pd.Series) -> list[Any]:
    cells: list[Any] = [None] * len(read)
    there = np.flatnonzero(read.notna().to_numpy())
    for position, text in zip(there.tolist(), _iso(read.to_numpy()[there]), strict=True):
        cells[position] = text
    return cells


def _key_cells(values: pd.Series) -> list[Any]:
    if isinstance(values.dtype, pd.DatetimeTZDtype) or values.dtype.kind == "M":
        return _date_cells(dates(values))
    return list(texts(without_blanks(values)))
