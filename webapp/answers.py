"""One answer as the page shows it; and the last ones, kept for what the log does not hold."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from storage.overview import Told
from storage.predictions import Prediction
from use_cases.contract import Contract
from webapp.forms import Refused, as_typed
from webapp.language import Speech
from webapp.wording import warnings_by_column

#: Columns whose effect is shown at once, if it is one to speak of; the rest unfolds.
_SHOWN_EFFECTS = 6
_LEAST_SHOWN = 3
_LEAST_EFFECT = 0.0005
_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Given:
    """What the runner answered to one row."""

    row: Mapping[str, Any]
    label: str
    probabilities: Mapping[str, float]
    bento: str
    prediction_id: str | None
    """None: it was tried out, and is in no log."""
    predicted_at_ms: int | None
    seconds: float | None
    """How long the runner took, as seen from here; None: not known any more."""

    @classmethod
    def stored(cls, prediction: Prediction) -> Given:
        """From the log."""
        return cls(
            row=json.loads(prediction.row_json),
            label=prediction.label,
            probabilities=json.loads(prediction.probabilities_json),
            bento=prediction.bento,
            prediction_id=prediction.prediction_id,
            predicted_at_ms=prediction.predicted_at_ms,
            seconds=None,
        )


class LastAnswers:
    """The newest answers of this process, which the log may not have written yet."""

    def __init__(self) -> None:
        self._given: OrderedDict[str, Given] = OrderedDict()

    def keep(self, given: Given) -> None:
        if given.prediction_id is not None:
            self._given[given.prediction_id] = given
        while len(self._given) > _KEPT:
            self._given.popitem(last=False)

    def of(self, prediction_id: str) -> Given | None:
        return self._given.get(prediction_id)


@dataclass(frozen=True, slots=True)
class Bar:
    """A class and its probability."""

    label: str
    share: float
    is_predicted: bool


@dataclass(frozen=True, slots=True)
class Effect:
    """How far one column moved the answer."""

    column: str
    value: str
    typical: str
    effect: float
    """By how much the predicted class's probability would be lower with the typical value; signed."""
    width: float
    """Its size relative to the largest, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Warned:
    """What training never saw in one column."""

    column: str
    sentence: str
    is_english: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer's part of the page."""

    given: Given
    target: str
    bars: tuple[Bar, ...]
    """Likeliest first."""
    warnings: tuple[Warned, ...]
    effects: tuple[Effect, ...]
    """Those that moved it, most moving first; empty where the columns could not be weighed."""
    lesser_effects: tuple[Effect, ...]
    explained_by: str | None
    """Another Bento than the one that answered, where that has been replaced since."""
    classes: tuple[str, ...]
    told: Told | None


def answer_view(
    given: Given,
    explanation: Mapping[str, Any] | None,
    contract: Contract,
    told: Told | None,
    speech: Speech,
) -> Answer:
    """The answer with its reasons. `explanation`: what `/explain` gave to the same row."""
    ordered = sorted(given.probabilities.items(), key=lambda item: -item[1])
    bars = tuple(Bar(name, share, name == given.label) for name, share in ordered)
    warned: dict[str, Refused] = {}
    effects: tuple[Effect, ...] = ()
    explained_by = None
    if explanation is not None:
        one = explanation["explanations"][0]
        explained_by = str(explanation["bento"]) if explanation["bento"] != given.bento else None
        warned = warnings_by_column(one["warnings"], speech)
        if one["prediction"] == given.label:
            effects = _effects(one["columns"], contract, speech)
    moving = sum(abs(one.effect) >= _LEAST_EFFECT for one in effects)
    shown = min(_SHOWN_EFFECTS, max(_LEAST_SHOWN, moving))
    return Answer(
        given=given,
        target=contract.target,
        bars=bars,
        warnings=tuple(Warned(name, one.sentence, one.is_english) for name, one in warned.items()),
        effects=effects[:shown],
        lesser_effects=effects[shown:],
        explained_by=explained_by,
        classes=contract.classes,
        told=told,
    )


def _effects(columns: list[dict[str, Any]], contract: Contract, speech: Speech) -> tuple[Effect, ...]:
    known = {column.name: column for column in contract.columns}
    largest = max((abs(one["effect"]) for one in columns), default=0.0) or 1.0

    def shown(name: str, value: Any) -> str:
        if value is None:
            return speech.gettext("missing")
        if isinstance(value, bool):
            return speech.gettext("true") if value else speech.gettext("false")
        if isinstance(value, (int, float)):
            return speech.number(value)
        return as_typed(value, known[name]) if name in known else str(value)

    return tuple(
        Effect(
            column=one["column"],
            value=shown(one["column"], one["value"]),
            typical=shown(one["column"], one["reference"]),
            effect=one["effect"],
            width=abs(one["effect"]) / largest,
        )
        for one in columns
    )
