"""A report's numbers as its row and its JSON file keep them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from loop.drift import DriftNumbers
from reporting.compared import Compared
from reporting.windows import Window

_OF_COLUMN = ("name", "group", "kind", "method", "distance", "threshold", "p_value", "is_drifted", "note")


def report_numbers(
    sides: Compared,
    drift: DriftNumbers,
    quality: dict[str, Any],
    *,
    drift_threshold: float,
    notes: Sequence[str],
) -> dict[str, Any]:
    """All that was measured: every key always there, None where it cannot be said.

    `quality` is `QualityNumbers.to_json()`.
    """
    seeds = [window.sample_seed for window in (sides.reference, sides.current)]
    seed = next((one for one in seeds if one is not None), None)
    found: dict[str, Any] = strict(
        {
            "reference": _side(sides.reference),
            "current": _side(sides.current),
            "sample": None if seed is None else {"rows": len(sides.current.rows), "seed": seed},
            "drift_share": drift.drift_share,
            "drift_threshold": drift_threshold,
            "target_drift": drift.target_drift,
            "prediction_drift": drift.prediction_drift,
            "columns": [
                {name: value for name, value in asdict(column).items() if name in _OF_COLUMN}
                for column in drift.columns
            ],
            "quality": quality,
            "notes": list(dict.fromkeys(notes)),
        }
    )
    return found


def _side(window: Window) -> dict[str, Any]:
    return {
        "name": window.name,
        "rows": window.total_rows,
        "answered": window.answered.total_rows,
        "labelled": window.answered.total_labelled,
    }


def strict(value: Any) -> Any:
    """The value as JSON can carry it: it has no NaN and no infinity."""
    if isinstance(value, dict):
        return {key: strict(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [strict(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
