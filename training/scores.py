"""Scores as JSON carries them: in a run, a version, a package."""

from __future__ import annotations

import json
import math

from loop.evaluation import Evaluation


def scores_dict(evaluation: Evaluation) -> dict[str, dict[str, float | None]]:
    """Metric -> value, low, high, as JSON can carry them: a score that the rows cannot tell is null."""
    return {
        name: {"value": _known(score.value), "low": _known(score.low), "high": _known(score.high)}
        for name, score in evaluation.scores.items()
    }


def scores_json(evaluation: Evaluation) -> str:
    """`scores_dict` as text."""
    return json.dumps(scores_dict(evaluation))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
