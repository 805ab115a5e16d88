"""The quality of one window as numbers, and as JSON carries them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from loop.class_scores import ClassScores, ConfidenceBin
from loop.evaluation import Evaluation, Score
from loop.triggers import Decision
from storage.label_delays import LabelDelays

Json = dict[str, Any]


@dataclass(frozen=True)
class QualityNumbers:
    """All that can be said of the quality of one window; None where it cannot."""

    metric: str
    reference: Score | None
    """What the champion reached on rows it had not learned from, when it was built."""
    evaluation: Evaluation | None
    """Realised, on the labelled rows."""
    estimated: dict[str, Score]
    """By metric; empty where no estimate is made."""
    estimated_rows: int
    estimated_of: Literal["unlabelled", "all"]
    """The rows that the estimate speaks of: those without a true answer, or all where too few have none."""
    estimate_error: dict[str, tuple[float, Score]]
    """By metric: the estimate on labelled rows, and estimated minus realised there."""
    classes: dict[str, ClassScores]
    confidence: tuple[ConfidenceBin, ...]
    coverage: float | None
    """The share of answers whose truth is known, 0 to 1."""
    delays: LabelDelays | None
    notes: tuple[str, ...]
    """What could not be said and why, and how far to trust the estimate: sentences."""
    decision: Decision

    def to_json(self) -> Json:
        """The part "quality" of a report's numbers: every key always there, null where it cannot be said."""
        realised = self.evaluation.scores if self.evaluation else {}
        rows = self.evaluation.rows if self.evaluation else 0
        off = self.estimate_error.get(self.metric)
        return {
            "metric": self.metric,
            "reference": _json(self.reference),
            "realised": _json(realised.get(self.metric), rows=rows),
            "estimated": _json(
                self.estimated.get(self.metric), rows=self.estimated_rows, of=self.estimated_of
            ),
            "estimate_error": None if off is None else _json(off[1], rows=rows, estimated=_known(off[0])),
            "coverage": self.coverage,
            "delay_hours": _delay_hours(self.delays),
            "coverage_by_age": _coverage_by_age(self.delays),
            "scores": {name: _json(score) for name, score in realised.items()},
            "estimated_scores": {name: _json(score) for name, score in self.estimated.items()},
            "classes": {
                name: {
                    "precision": _json(one.precision),
                    "recall": _json(one.recall),
                    "f1": _json(one.f1),
                    "rows": one.rows,
                }
                for name, one in self.classes.items()
            },
            "confusion": None
            if self.evaluation is None
            else {"classes": list(self.evaluation.classes), "counts": self.evaluation.confusion},
            "confidence": [
                {"confidence": one.confidence, "right": one.right, "rows": one.rows}
                for one in self.confidence
            ],
        }


def _json(score: Score | None, **more: float | str | None) -> Json | None:
    """None where the value cannot be told."""
    if score is None or math.isnan(score.value):
        return None
    return {"value": score.value, "low": _known(score.low), "high": _known(score.high), **more}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _delay_hours(delays: LabelDelays | None) -> dict[str, float] | None:
    if delays is None or not delays.quantile_hours:
        return None
    return {f"{quantile:g}": hours for quantile, hours in delays.quantile_hours.items()}


def _coverage_by_age(delays: LabelDelays | None) -> list[Json]:
    return [
        {
            "from_hours": one.from_hours,
            "to_hours": one.to_hours,
            "rows": one.rows,
            "labelled": one.labelled,
        }
        for one in (() if delays is None else delays.by_age)
        if one.rows
    ]
