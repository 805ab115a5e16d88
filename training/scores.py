"""Scores as JSON carries them: in a run, a version, a package."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from loop.evaluation import Evaluation, Score

Table = dict[str, dict[str, float | None]]
"""Metric -> value, low, high; null where the rows cannot tell."""


def table(scores: Mapping[str, Score]) -> Table:
    """The scores as JSON can carry them."""
    return {
        name: {"value": known(score.value), "low": known(score.low), "high": known(score.high)}
        for name, score in scores.items()
    }


def scores_dict(evaluation: Evaluation) -> Table:
    """`table` of an evaluation."""
    return table(evaluation.scores)


def scores_json(evaluation: Evaluation) -> str:
    """`scores_dict` as text."""
    return json.dumps(scores_dict(evaluation))


def known(value: float) -> float | None:
    """None for NaN."""
    return None if math.isnan(value) else value
