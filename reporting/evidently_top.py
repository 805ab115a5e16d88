"""The top of a report: the decision, what was compared, the scores, and what could not be said."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evidently.legacy.model.widget import BaseWidgetInfo
from evidently.legacy.renderers.html_widgets import table_data, text_widget

from loop.drift import METHOD_NAMES, DriftNumbers

if TYPE_CHECKING:
    from reporting.evidently_report import Sides
    from reporting.windows import Window

QualityJson = Mapping[str, Any]
"""What `QualityNumbers.to_json` gives."""


def top_widgets(
    sides: Sides,
    drift: DriftNumbers,
    quality: QualityJson,
    *,
    title: str,
    sentence: str,
    notes: Sequence[str],
) -> list[BaseWidgetInfo]:
    """Text and tables, the decision first."""
    methods = sorted({METHOD_NAMES.get(one.method, one.method) for one in drift.columns})
    lines = [
        *([f"**{_plain(sentence)}**"] if sentence else []),
        f"Reference: {_side(sides.reference)} Current: {_side(sides.current)}",
        f"How drift is measured: {' and '.join(methods) or 'not at all'}, of all rows, over the bins of the "
        "reference; each column has its own threshold (under Tests). Pictures and Evidently's scores are of "
        "the rows that Evidently was given.",
    ]
    widgets = [text_widget(title=title, text="\n\n".join(lines))]
    scores = _score_rows(quality)
    if scores:
        widgets.append(
            table_data(
                title="Quality, with 95 % intervals", column_names=["", "value", "low", "high"], data=scores
            )
        )
    classes = _class_rows(quality)
    if classes:
        widgets.append(
            table_data(
                title="Quality of each class, with 95 % intervals",
                column_names=["class", "labelled rows", "precision", "recall", "F1"],
                data=classes,
            )
        )
    if notes:
        widgets.append(
            text_widget(
                title="To know when reading this",
                text="\n".join(f"- {_plain(note)}" for note in notes),
            )
        )
    return widgets


def heading(text: str, more: str = "") -> BaseWidgetInfo:
    return text_widget(title=text, text=more)


def panel_numbers(
    sides: Sides, drift: DriftNumbers, quality: QualityJson, drift_threshold: float
) -> tuple[dict[str, float], dict[str, float]]:
    """The finite numbers that panels show over time: of the current window, and of the reference."""
    answered = sides.current.answered
    current: dict[str, Any] = {
        "rows": sides.current.total_rows,
        "answers": answered.total_rows,
        "labelled": answered.total_labelled,
        "labelled_share": quality.get("coverage"),
        "drift_share": drift.drift_share,
        "steady_share": 1.0 - drift.drift_share,
        "drift_threshold": drift_threshold,
        "target_drift": drift.target_drift,
        "prediction_drift": drift.prediction_drift,
        "quality_reference": _value(quality, "reference"),
        "quality_estimated": _value(quality, "estimated"),
        "quality_realised": _value(quality, "realised"),
    }
    for name, score in (quality.get("scores") or {}).items():
        if score:
            current |= {name: score["value"], f"{name}_low": score["low"], f"{name}_high": score["high"]}
    reference = {"rows": sides.reference.total_rows, "quality_realised": _value(quality, "reference")}
    return _finite(current), _finite(reference)


def _side(window: Window) -> str:
    text = f"{_plain(window.name)}, {window.total_rows:,} rows"
    if window.sample_seed is not None:
        text += f" (Evidently shows a sample of {len(window.rows):,}, seed {window.sample_seed})"
    answered = window.answered
    return (
        f"{text}, {answered.total_rows:,} answers to compare, {answered.total_labelled:,} of them labelled."
    )


def _score_rows(quality: QualityJson) -> Iterable[list[str]]:
    metric = quality.get("metric")
    estimated = quality.get("estimated") or {}
    which = "of all rows" if estimated.get("of") == "all" else "where none came yet"
    named = [
        (f"{metric}: reference, promised when built", quality.get("reference")),
        (f"{metric}: estimated, {which}", estimated),
        (f"{metric}: realised, where labels came", quality.get("realised")),
        *((name, score) for name, score in (quality.get("scores") or {}).items() if name != metric),
    ]
    return [[name, *_cells(score)] for name, score in named if score and _is_finite(score.get("value"))]


def _class_rows(quality: QualityJson) -> list[list[str]]:
    return [
        [
            name,
            f"{one.get('rows', 0):,}",
            *(_with_interval(one.get(key)) for key in ("precision", "recall", "f1")),
        ]
        for name, one in (quality.get("classes") or {}).items()
    ]


def _cells(score: Mapping[str, Any]) -> list[str]:
    return [f"{score[key]:.3f}" if _is_finite(score.get(key)) else "" for key in ("value", "low", "high")]


def _with_interval(score: Mapping[str, Any] | None) -> str:
    value, low, high = _cells(score or {})
    return f"{value} ({low} to {high})" if value and low and high else value or "unknown"


def _value(quality: QualityJson, key: str) -> Any:
    return (quality.get(key) or {}).get("value")


def _finite(numbers: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in numbers.items() if _is_finite(value)}


def _is_finite(value: Any) -> bool:
    return value is not None and math.isfinite(value)


def _plain(text: str) -> str:
    """Text whose signs Markdown does not read: a column may be called `_a_*b*`."""
    return re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", text)
