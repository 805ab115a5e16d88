"""Every component in every state, for whoever changes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import Response

from storage.decisions import StoredDecision
from storage.overview import Realised, Told
from webapp.answers import Answer, Bar, Effect, Given, Warned
from webapp.charts import Course, course
from webapp.forms import Field, Option
from webapp.health import Concern
from webapp.report_numbers import ColumnLine
from webapp.site import site
from webapp.views import View

_LONG = "the_most_unreasonably_long_column_name_that_anybody_has_ever_exported_from_a_warehouse"
_AT_MS = 1_767_225_600_000


@dataclass(frozen=True, kw_only=True)
class PatternsView(View):
    """Made-up data, none of it stored."""

    template: ClassVar[str] = "patterns.html"
    fields: tuple[Field, ...]
    answer: Answer
    course: Course
    concerns: tuple[Concern, ...]
    decisions: tuple[StoredDecision, ...]
    columns: tuple[ColumnLine, ...]
    qualities: tuple[dict[str, Any], ...]
    """Nothing known; only estimated; all three; the estimate far off, with all tables."""


async def show(request: Request) -> Response:
    history = [
        Realised(
            _AT_MS + place * 3_600_000,
            (place * 7) % 10 < 8 - place // 90,
            "visits:a" if place < 120 else "visits:b",
        )
        for place in range(240)
    ]
    chart = course(history, 0.78)
    assert chart is not None  # 240 answers are enough
    return await site(request).render(
        request,
        PatternsView(
            fields=_fields(),
            answer=_answer("k3v9-pattern", Told("no", _AT_MS, "joined")),
            course=chart,
            concerns=(
                Concern("failing", "The service does not answer. Start it with rebento up."),
                Concern(
                    "look",
                    "The last training run failed.",
                    "its trainer was killed 3 times in the middle of it",
                ),
                Concern(
                    "note", "A training run is at work.", "100 labelled production rows, a multiple of 100"
                ),
            ),
            columns=(
                ColumnLine(
                    _LONG, "input", "jensenshannon", 0.31, 0.1, True, "1 to 2: 3% of rows before, 41% now"
                ),
                ColumnLine("age", "input", "jensenshannon", 0.03, 0.1, False, ""),
                ColumnLine("prediction", "prediction", "jensenshannon", 0.12, 0.15, False, ""),
                ColumnLine("empty", "input", "jensenshannon", None, 0.1, False, "no value in either"),
            ),
            decisions=(
                _decision(1, "drift", "NO_ACTION", "NO_ACTION drift_share=0.06 < 0.30 (target_drift=0.0)"),
                _decision(
                    2, "quality", "RETRAIN", "RETRAIN roc_auc 0.512 (0.471 to 0.553) is below its reference"
                ),
                _decision(
                    3, "suspicion", "INVESTIGATE", "INVESTIGATE " + "a source disagrees far more often; " * 6
                ),
            ),
            qualities=_qualities(),
        ),
    )


def _qualities() -> tuple[dict[str, Any], ...]:
    def score(value: float, half: float, **more: Any) -> dict[str, Any]:
        return {"value": value, "low": value - half, "high": min(value + half, 1.0), **more}

    nothing: dict[str, Any] = {
        **dict.fromkeys(("reference", "realised", "estimated", "estimate_error", "confusion", "coverage")),
        **{"delay_hours": None, "coverage_by_age": [], "scores": {}, "estimated_scores": {}, "classes": {}},
        "metric": "roc_auc",
    }
    estimated = {
        **nothing,
        "reference": score(0.812, 0.015),
        "estimated": score(0.79, 0.03, rows=1240, of="unlabelled"),
        "coverage": 0.0,
    }
    delays = {"0.1": 1.2, "0.5": 20.0, "0.9": 210.0}
    three = {
        **estimated,
        "realised": score(0.801, 0.05, rows=310),
        "estimate_error": score(-0.011, 0.04, rows=310, estimated=0.79),
        "coverage": 0.2,
        "delay_hours": delays,
    }
    far = {
        **three,
        "realised": score(0.471, 0.04, rows=900),
        "estimate_error": score(0.33, 0.05, rows=900, estimated=0.801),
        "coverage_by_age": [
            {"from_hours": 0.0, "to_hours": 1.0, "rows": 90, "labelled": 1},
            {"from_hours": 720.0, "to_hours": None, "rows": 1200, "labelled": 1120},
        ],
        "scores": {"roc_auc": score(0.471, 0.04), "f1": score(0.3, 0.05)},
        "estimated_scores": {"roc_auc": score(0.79, 0.03)},
        "classes": {_LONG: {"precision": score(0.4, 0.1), "recall": None, "f1": score(0.3, 0.1), "rows": 12}},
        "confusion": {"classes": ["no", _LONG], "counts": [[500, 120], [160, 120]]},
    }
    # Each under a name of its own, as landmarks of one page must be.
    return (
        {**nothing, "metric": "f1"},
        {**estimated, "metric": "accuracy"},
        {**three, "metric": "balanced_accuracy"},
        far,
    )


def _decision(number: int, kind: str, decision: str, sentence: str) -> StoredDecision:
    return StoredDecision(number, "visits", kind, decision, sentence, "{}", _AT_MS, None)  # type: ignore[arg-type]


def _fields() -> tuple[Field, ...]:
    def field(place: int, control: str, value: str = "", **more: object) -> Field:
        values: dict[str, object] = {
            "name": f"pattern.{place}",
            "id": f"pattern-{place}",
            "column": f"column_{place}",
            "label": "Column",
            "control": control,
            "value": value,
            "step": "any",
            "options": (),
            "hint": "0 to 29,237, typically 8,490",
            "typical": "8490",
            "is_optional": False,
        }
        return Field(**{**values, **more})  # type: ignore[arg-type]

    options = (Option("yes", "yes"), Option("no", "no"), Option(_LONG, _LONG))
    return (
        field(0, "number", label="Empty number"),
        field(1, "number", "90000", label="Filled, optional", is_optional=True),
        field(2, "number", "-1", label="Refused", problem="“-1” is not what this column holds."),
        field(3, "select", "no", label="Select", options=options, hint="most often yes"),
        field(4, "text", "Ponta Delgada", label="Text with proposals", options=options, hint=""),
        field(5, "date", "2026-01-01", label="Date", hint="seen from 1 Jan 2024 to 31 Dec 2025"),
        field(6, "datetime-local", label="Moment", hint=""),
        field(7, "number", label=_LONG, hint="0 to 1, typically 0.5"),
    )


def _answer(prediction_id: str | None, told: Told | None) -> Answer:
    shares = {"yes": 0.713, "no": 0.2, _LONG: 0.087}
    given = Given({}, "yes", shares, "visits:20260101-000000-0badcafe", prediction_id, _AT_MS, 0.0042)
    return Answer(
        given=given,
        target="doctor_visit",
        bars=tuple(Bar(name, share, name == "yes") for name, share in shares.items()),
        warnings=(Warned("income", "90,000 lies outside what was seen in training, 0 to 29,237.", False),),
        effects=(
            Effect("took_physical", "no", "yes", 0.116, 1.0),
            Effect("income", "90,000", "8,490", -0.062, 0.53),
            Effect(_LONG, "missing", "12", 0.004, 0.03),
        ),
        lesser_effects=(Effect("sex", "male", "male", 0.0, 0.0),),
        explained_by="visits:20260102-000000-0badcafe" if told else None,
        classes=tuple(shares),
        told=told,
    )
