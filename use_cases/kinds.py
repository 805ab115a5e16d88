"""What kind of column values make: number, category, boolean or date; and columns in the form of theirs."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd

from loop.labels import label_text
from loop.refusals import NotTrainable, UseCaseMistake
from use_cases.contract import MISSING_CATEGORY, Kind

PARSED_SHARE = 0.99
"""A text column is one of numbers (dates) where at least this share of its values reads as such."""

ISO_DATE = r"\s*\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?\s*"


def without_blanks(values: pd.Series) -> pd.Series:
    """The column with blank text and text that means missing as None, in plain numpy types."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    if isinstance(values.dtype, pd.api.extensions.ExtensionDtype) and not isinstance(
        values.dtype, pd.DatetimeTZDtype
    ):
        missing = bool(values.isna().any())
        if pd.api.types.is_bool_dtype(values.dtype):
            values = values.astype("object" if missing else "bool")
        elif pd.api.types.is_integer_dtype(values.dtype):
            values = values.astype("float64" if missing else "int64")
        elif pd.api.types.is_numeric_dtype(values.dtype):
            values = values.astype("float64")
        else:
            values = values.astype("object")
    if values.dtype != object:
        return values
    texts = values.map(lambda value: value.strip() if isinstance(value, str) else value)
    gone = (texts == "") | (texts == MISSING_CATEGORY) | texts.isna()
    return values.where(~gone, other=cast(Any, None)) if gone.any() else values


def kind_of(values: pd.Series) -> Kind:
    """The kind that the values of a column without blanks look like; all missing counts as numbers."""
    if values.dtype == bool:
        return "boolean"
    if isinstance(values.dtype, pd.DatetimeTZDtype) or values.dtype.kind == "M":
        return "date"
    if values.dtype.kind in "iufm":
        return "number"
    seen = values.dropna()
    if seen.empty:
        return "number"
    if booleans(seen).notna().all():
        return "boolean"
    if numbers(seen).notna().mean() >= PARSED_SHARE:
        return "number"
    if dates(seen).notna().mean() >= PARSED_SHARE:
        return "date"
    return "category"


def numbers(values: pd.Series) -> pd.Series:
    """The values as numbers; what is none becomes NaN."""
    if values.dtype == object:
        # to_numeric would read True as 1: a mix of booleans and text is no column of numbers.
        values = values.map(lambda value: None if isinstance(value, (bool, np.bool_)) else value)
    if values.dtype.kind == "m":
        return pd.Series(values.dt.total_seconds())
    read: pd.Series = pd.to_numeric(values, errors="coerce")
    return read


def dates(values: pd.Series) -> pd.Series:
    """The values as datetime64, in UTC where they name a zone; what is no ISO date becomes NaT."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return pd.Series(values.dt.tz_convert("UTC").dt.tz_localize(None))
    if values.dtype.kind == "M":
        return values
    texts = values.map(lambda value: None if value is None else str(value)).astype("str")
    texts = texts.where(texts.str.fullmatch(ISO_DATE, na=False))
    parsed = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True)
    return parsed.dt.tz_localize(None)


BOOLEANS = {True: True, False: False, "true": True, "false": False}


def booleans(values: pd.Series, more: bool = False) -> pd.Series:
    """The values as True and False (`more`: 1 and 0 too); what is neither becomes None."""
    accepted = {**BOOLEANS, "1": True, "0": False} if more else BOOLEANS

    def read(value: Any) -> bool | None:
        if isinstance(value, (bool, np.bool_)):
            return bool(value)
        text = label_text(value)
        return accepted.get(text.lower()) if text is not None else None

    return values.map(read).astype("object")


def texts(values: pd.Series) -> pd.Series:
    """The values as text, None where missing. Text is kept as it stands, numbers lose a trailing .0."""
    return values.map(lambda value: value if isinstance(value, str) else label_text(value)).astype("object")


def tidy_column(values: pd.Series, kind: Kind | None = None) -> tuple[pd.Series, Kind]:
    """The column in the form of its kind (given, else seen), and the kind.

    Numbers come as numpy numbers, dates as datetime64, booleans as bool or True, False and None, categories
    as text or None. A column of which a few values are no number (date) stays text: the contract's check
    refuses those rows one by one, nothing is lost here. Raises UseCaseMistake where a given kind does not
    fit most values or the values are lists, NotTrainable where a number is infinite.
    """
    values = without_blanks(values)
    seen = values.dropna()
    name = str(values.name)
    if values.dtype == object and seen.map(lambda v: isinstance(v, (list, dict, bytes, np.ndarray))).any():
        raise UseCaseMistake(f"Column {name!r} holds lists or bytes, not single values; put it under ignore.")
    seen_kind = kind or kind_of(values)
    if seen_kind == "category":
        return texts(values), seen_kind
    if seen_kind == "boolean":
        converted = booleans(values, more=kind is not None)
        if converted.notna().all():
            converted = converted.astype("bool")
    else:
        converted = numbers(values) if seen_kind == "number" else dates(values)
    lost = int(values.notna().sum() - converted.notna().sum())
    if lost and lost > (1 - PARSED_SHARE) * len(seen):
        raise UseCaseMistake(
            f"kinds.{name}: {lost} of {len(seen)} values are no {seen_kind}, "
            f"such as {str(seen[converted[seen.index].isna()].iloc[0])!r}; name another kind."
        )
    if seen_kind == "number" and converted.dtype.kind == "f" and np.isinf(converted).any():
        raise NotTrainable(
            f"Column {name!r} has {int(np.isinf(converted).sum())} infinite values; "
            "make them numbers or leave them empty."
        )
    return (values if lost else converted), seen_kind
