"""What a report measured, as its row keeps it, and the decision in a person's words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loop.quality_words import SENTENCES
from storage.reports import Report
from webapp.decision_words import shares
from webapp.language import Speech, marked

#: As `loop.drift` calls them; other names are shown as they are.
_METHODS = {"jensenshannon": "Jensen-Shannon distance", "hellinger": "Hellinger distance"}
_ADVICE = {
    "NO_ACTION": marked("Nothing has to be done."),
    "RETRAIN": marked("It asks for a training, which starts by itself unless automation is paused."),
    "INVESTIGATE": marked("A person should look before anything is trained."),
}


@dataclass(frozen=True, slots=True)
class Side:
    """One window. Counts are rows; None: not told."""

    name: str
    rows: int | None
    answered: int | None
    labelled: int | None


@dataclass(frozen=True, slots=True)
class ColumnLine:
    """One column's drift. A distance that could not be measured is None, and `note` says why."""

    name: str
    group: str
    method: str
    distance: float | None
    threshold: float | None
    is_drifted: bool
    note: str

    @property
    def nearness(self) -> float:
        """Distance in thresholds: drifted columns have more than one."""
        return (self.distance or 0.0) / self.threshold if self.threshold else 0.0


@dataclass(frozen=True, slots=True)
class Numbers:
    """All of them. None: the report could not say."""

    reference: Side
    current: Side
    sample: Mapping[str, Any]
    """How many rows Evidently was given and by which seed, where it got a sample."""
    drift_share: float | None
    drift_threshold: float | None
    target_drift: float | None
    prediction_drift: float | None
    columns: tuple[ColumnLine, ...]
    """Drifted ones first, then the farthest from the reference."""
    quality: Mapping[str, Any] | None
    notes: tuple[str, ...]

    @property
    def raw_columns(self) -> tuple[ColumnLine, ...]:
        """All but the embedding's dimensions."""
        return tuple(column for column in self.columns if column.group != "embedding")

    @property
    def methods(self) -> tuple[str, ...]:
        """How distances were measured, each once."""
        return tuple(dict.fromkeys(_METHODS.get(one.method, one.method) for one in self.columns))

    def of_group(self, group: str) -> tuple[ColumnLine, ...]:
        return tuple(column for column in self.columns if column.group == group)


def numbers_of(report: Report) -> Numbers | None:
    """The numbers of a report; None where it has none (yet)."""
    told: dict[str, Any] = json.loads(report.numbers_json or "{}")
    if not told:
        return None
    columns = [_column(one) for one in told.get("columns") or ()]
    columns.sort(key=lambda one: (not one.is_drifted, -one.nearness, one.name))
    return Numbers(
        reference=_side(told.get("reference") or {}),
        current=_side(told.get("current") or {}),
        sample=told.get("sample") or {},
        drift_share=told.get("drift_share"),
        drift_threshold=told.get("drift_threshold"),
        target_drift=told.get("target_drift"),
        prediction_drift=told.get("prediction_drift"),
        columns=tuple(columns),
        quality=told.get("quality"),
        # What the block of the three numbers says by itself, in the visitor's language, is not said twice.
        notes=tuple(str(note) for note in told.get("notes") or () if note not in SENTENCES),
    )


def in_words(report: Report, numbers: Numbers | None, speech: Speech) -> tuple[str, ...]:
    """The decision in sentences of the visitor's language. Empty: the report decided nothing."""
    if report.decision is None:
        return ()
    said = [*_drift(numbers, speech), *_quality(numbers, speech)] if numbers else []
    return (*said, speech.gettext(_ADVICE[report.decision]))


def in_short(report: Report, numbers: Numbers | None, speech: Speech) -> str:
    """Whether the inputs drifted, and what to do. Empty: the report decided nothing."""
    if report.decision is None:
        return ""
    first = _drift(numbers, speech)[:1] if numbers else []
    return " ".join([*first, speech.gettext(_ADVICE[report.decision])])


def _drift(numbers: Numbers, speech: Speech) -> list[str]:
    said = []
    inputs = numbers.of_group("input")
    if numbers.drift_share is not None and numbers.drift_threshold is not None and inputs:
        said.append(
            speech.ngettext(
                "%(n)s of %(columns)s input columns has drifted: %(share)s; the alarm is at %(limit)s.",
                "%(n)s of %(columns)s input columns have drifted: %(share)s; the alarm is at %(limit)s.",
                sum(one.is_drifted for one in inputs),
                columns=speech.number(len(inputs)),
                **shares(numbers.drift_share, numbers.drift_threshold, speech),
            )
        )
    if numbers.target_drift is None:
        said.append(speech.gettext("Too few true answers are known to compare their shares."))
    else:
        said.append(
            speech.gettext(
                "The true answers' shares lie %(distance)s from the reference's, on a scale from 0 to 1.",
                distance=speech.number(numbers.target_drift, 2),
            )
        )
    return said


def _quality(numbers: Numbers, speech: Speech) -> list[str]:
    quality = numbers.quality or {}
    realised, reference = quality.get("realised") or {}, quality.get("reference") or {}
    if realised.get("value") is None:
        return [
            speech.gettext("How good its answers are cannot be said yet: too few true answers are known.")
        ]
    rows = speech.number(realised.get("rows") or 0)
    value = speech.number(realised["value"], 3)
    if realised.get("low") is None or realised.get("high") is None:
        said = speech.gettext(
            "On %(rows)s answers whose truth is known it reached %(value)s.", rows=rows, value=value
        )
    else:
        said = speech.gettext(
            "On %(rows)s answers whose truth is known it reached %(value)s (%(low)s to %(high)s).",
            rows=rows,
            value=value,
            low=speech.number(realised["low"], 3),
            high=speech.number(realised["high"], 3),
        )
    if reference.get("value") is None:
        return [said]
    expected = speech.gettext("Its reference is %(value)s.", value=speech.number(reference["value"], 3))
    return [f"{said} {expected}"]


def _side(told: Mapping[str, Any]) -> Side:
    return Side(
        name=str(told.get("name", "")),
        rows=told.get("rows"),
        answered=told.get("answered"),
        labelled=told.get("labelled"),
    )


def _column(told: Mapping[str, Any]) -> ColumnLine:
    return ColumnLine(
        name=str(told.get("name", "")),
        group=str(told.get("group", "input")),
        method=str(told.get("method", "")),
        distance=told.get("distance"),
        threshold=told.get("threshold"),
        is_drifted=bool(told.get("is_drifted")),
        note=str(told.get("note") or ""),
    )
