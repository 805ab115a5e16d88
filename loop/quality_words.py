"""The three numbers of quality, in the order and the words in which every page and report says them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class QualityWord:
    """One of the three numbers."""

    key: str
    """As in JSON."""
    name: str
    meaning: str


REFERENCE = QualityWord(
    "reference", "Reference", "What it promised: reached on rows it had not learned from, when it was built."
)
ESTIMATED = QualityWord(
    "estimated",
    "Estimated",
    "What its own probabilities let expect now, before the true answers come.",
)
REALISED = QualityWord("realised", "Realised", "What the true answers show; they come late.")

THREE_NUMBERS = (REFERENCE, ESTIMATED, REALISED)
"""From what was, by what may be, to what is."""

BLIND = (
    "The estimate cannot see a changed concept: where the same rows mean other answers than before, it stays "
    "where it was. Only true answers show that."
)
OFF_HIGH = (
    "The estimate was too high on rows whose truth is known: believe the realised number. The concept has "
    "changed since the reference, or these rows are unlike it."
)
OFF_LOW = (
    "The estimate was too low on rows whose truth is known: believe the realised number. These rows are "
    "easier than their like in the reference, or the first labels to come are the easy ones."
)
HOLDS = (
    "On rows whose truth is known the estimate agrees with the realised number, within what so few can tell."
)
EVERY_ROW = "The estimate speaks of every row of the window: too few have no true answer yet."

SENTENCES = (BLIND, OFF_HIGH, OFF_LOW, HOLDS, EVERY_ROW)


def quality_line(told: Mapping[str, Any]) -> str:
    """The three numbers in one line, of a report's "quality" (`reporting.quality_numbers`).

    >>> score = {"value": 0.81, "low": 0.79, "high": 0.83}
    >>> quality_line({"metric": "f1", "reference": score, "estimated": score | {"rows": 1240}})
    'f1: reference 0.810 (0.790 to 0.830), estimated 0.810 (0.790 to 0.830; 1,240 rows), realised unknown'
    """
    return f"{told['metric']}: " + ", ".join(
        f"{word.key} {_in_short(told.get(word.key))}" for word in THREE_NUMBERS
    )


def _in_short(score: Mapping[str, Any] | None) -> str:
    if not score:
        return "unknown"
    rows = f"; {score['rows']:,} rows" if score.get("rows") else ""
    if score.get("low") is None or score.get("high") is None:
        return f"{score['value']:.3f}{rows}"
    return f"{score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f}{rows})"


def estimate_sentence(low: float, high: float, *, is_loss: bool) -> str:
    """What the interval of estimated minus realised says of the estimate.

    >>> estimate_sentence(0.2, 0.4, is_loss=False) == OFF_HIGH
    True
    >>> estimate_sentence(0.2, 0.4, is_loss=True) == OFF_LOW  # a higher loss was feared than came
    True
    """
    if low <= 0 <= high:
        return HOLDS
    return OFF_HIGH if (low > 0) != is_loss else OFF_LOW
