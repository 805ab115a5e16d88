"""One value against its column: the cell of the graph's block, or what is wrong with it."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np

from loop.labels import label_text

# The graph computes in 32 bits, where anything larger would silently become infinite.
_LARGEST = float(np.finfo(np.float32).max)
_EPOCH = datetime(1970, 1, 1)


def number(value: Any, kind: str) -> tuple[float, str]:
    """A cell of the numbers block and an empty text, or what is wrong with it."""
    if kind == "boolean":
        if value is True or value is False:
            return float(value), ""
        return 0.0, f"must be true or false, not {named(value)}"
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
    return 0.0, f"must be a number, not {named(value)}"


def _days(value: Any) -> tuple[float, str]:
    if not isinstance(value, str):
        return 0.0, f'must be a date as text ("2024-01-31"), not {named(value)}'
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


def category(value: Any, known: frozenset[str]) -> tuple[str, str]:
    if isinstance(value, str):
        return ("", "contains a null byte") if "\x00" in value else (value, "")
    text = label_text(value)
    # A code such as 31 may come as a number where training knew it as text.
    if text is not None and text in known:
        return text, ""
    return "", f"must be text, not {named(value)}"


def outside(value: Any, kind: str, low: float, high: float) -> str:
    if kind == "date":
        first, last = (datetime.fromtimestamp(d * 86_400, UTC).date().isoformat() for d in (low, high))
        return f"{value} lies outside the dates seen in training, {first} to {last}"
    return f"{value:g} lies outside the range seen in training, {low:g} to {high:g}"


def has_null_byte(value: Any) -> bool:
    return isinstance(value, str) and "\x00" in value


def short(value: Any, most: int = 60) -> str:
    """A value as it may stand in a sentence: quoted, at most about `most` characters."""
    text = repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def named(value: Any) -> str:
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
    words: dict[type, str] = {list: "a list", dict: "an object"}
    return words.get(type(value), type(value).__name__)
