"""Scores as the pages show them: one list a version, or two side by side."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from loop.evaluation import LOWER_IS_BETTER

#: In the order in which a person asks for them; the deciding one comes first whatever it is.
_ORDER = (
    *("roc_auc", "balanced_accuracy", "accuracy", "f1", "precision", "recall"),
    *("log_loss", "calibration_error"),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """A score with its 95 % interval."""

    metric: str
    value: float
    low: float
    high: float
    is_deciding: bool
    is_lower_better: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """One metric of two versions; None: that one has none."""

    metric: str
    left: Measured | None
    right: Measured | None
    top: float
    """What the drawing's scale ends at."""


def measured(scores_json: str | None, deciding: str) -> tuple[Measured, ...]:
    """The scores that are known, the deciding one first."""
    return from_table(json.loads(scores_json or "{}"), deciding)


def from_table(scores: dict[str, Any], deciding: str) -> tuple[Measured, ...]:
    """As `measured`, of metric -> value, low, high."""
    return tuple(
        Measured(name, one["value"], one["low"], one["high"], name == deciding, name in LOWER_IS_BETTER)
        for name in dict.fromkeys((deciding, *_ORDER))
        if (one := scores.get(name) or {}).get("value") is not None and one.get("low") is not None
    )


def side_by_side(left: tuple[Measured, ...], right: tuple[Measured, ...]) -> tuple[Pair, ...]:
    """Every metric that either has."""
    lefts, rights = {one.metric: one for one in left}, {one.metric: one for one in right}
    return tuple(
        Pair(name, lefts.get(name), rights.get(name), _top(lefts.get(name), rights.get(name)))
        for name in dict.fromkeys([*lefts, *rights])
    )


def _top(*both: Measured | None) -> float:
    return max([1.0, *(one.high for one in both if one is not None)])
