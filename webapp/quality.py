"""Quality as the pages show it: what was promised, what is estimated, what is realised."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loop.evaluation import LOWER_IS_BETTER
from loop.quality_words import BLIND, THREE_NUMBERS, estimate_sentence
from webapp.language import Speech, marked

Told = Mapping[str, Any]
"""The part "quality" of a report's numbers (`reporting.quality_numbers.QualityNumbers.to_json`)."""

_NOTHING = {
    "reference": marked("Its Bento has no stored score."),
    "estimated": marked("No estimate can be made."),
    "realised": marked("Too few true answers are known."),
}
_SAYS = {
    "reference": marked("When it was built it reached %(value)s (%(low)s to %(high)s)."),
    "estimated": marked(
        "On %(rows)s answers without their truth %(value)s is estimated (%(low)s to %(high)s)."
    ),
    "realised": marked(
        "On %(rows)s answers whose truth is known it reached %(value)s (%(low)s to %(high)s)."
    ),
}
_ESTIMATED_OF_ALL = marked("On all %(rows)s answers %(value)s is estimated (%(low)s to %(high)s).")
_OFF = marked(
    "Where both are known, the estimate was %(estimated)s: off by %(difference)s (%(low)s to %(high)s)."
)


@dataclass(frozen=True, slots=True)
class ShownNumber:
    """One of the three, with its place on the common axis (percent). Without a value: `says` tells why."""

    key: str
    name: str
    meaning: str
    value: float | None
    low: float
    high: float
    says: str
    x: float
    x_low: float
    x_high: float


@dataclass(frozen=True, slots=True)
class ShownError:
    """How far off the estimate was where both are known."""

    says: str
    advice: str
    is_far: bool


@dataclass(frozen=True, slots=True)
class ShownQuality:
    """All that the block shows."""

    metric: str
    numbers: tuple[ShownNumber, ...]
    """The three, always in this order."""
    bottom: float
    top: float
    """The ends of the axis."""
    is_lower_better: bool
    error: ShownError | None
    blind: str
    """What the estimate cannot see; empty where there is none."""
    coverage: float | None
    delay_hours: Told
    coverage_by_age: tuple[Told, ...]

    @property
    def says(self) -> str:
        """What the drawing shows."""
        return " ".join(number.says for number in self.numbers)


def shown_quality(told: Told, speech: Speech) -> ShownQuality:
    """The block's contents in the visitor's language."""
    metric = str(told["metric"])
    known = [told[word.key] for word in THREE_NUMBERS if told.get(word.key)]
    bottom, top = _axis([end for one in known for end in _ends(one)], metric)
    numbers = []
    for word in THREE_NUMBERS:
        one = told.get(word.key)
        value, low, high = (one["value"], *_ends(one)) if one else (None, bottom, bottom)
        numbers.append(
            ShownNumber(
                key=word.key,
                name=speech.gettext(word.name),
                meaning=speech.gettext(word.meaning),
                value=value,
                low=low,
                high=high,
                says=_says(word.key, one, speech),
                x=_place(bottom if value is None else value, bottom, top),
                x_low=_place(low, bottom, top),
                x_high=_place(high, bottom, top),
            )
        )
    return ShownQuality(
        metric=metric,
        numbers=tuple(numbers),
        bottom=bottom,
        top=top,
        is_lower_better=metric in LOWER_IS_BETTER,
        error=_error(told.get("estimate_error"), metric, speech),
        blind=speech.gettext(BLIND) if told.get("estimated") else "",
        coverage=told.get("coverage"),
        delay_hours=told.get("delay_hours") or {},
        coverage_by_age=tuple(told.get("coverage_by_age") or ()),
    )


def _says(key: str, one: Told | None, speech: Speech) -> str:
    if not one:
        return speech.gettext(_NOTHING[key])
    text = _ESTIMATED_OF_ALL if one.get("of") == "all" else _SAYS[key]
    low, high = _ends(one)
    return speech.gettext(
        text,
        rows=speech.number(one.get("rows") or 0),
        value=speech.number(one["value"], 3),
        low=speech.number(low, 3),
        high=speech.number(high, 3),
    )


def _error(one: Told | None, metric: str, speech: Speech) -> ShownError | None:
    if not one:
        return None
    low, high = _ends(one)
    says = speech.gettext(
        _OFF,
        estimated="?" if one.get("estimated") is None else speech.number(one["estimated"], 3),
        difference=_signed(one["value"], speech),
        low=_signed(low, speech),
        high=_signed(high, speech),
    )
    advice = estimate_sentence(low, high, is_loss=metric in LOWER_IS_BETTER)
    return ShownError(says, speech.gettext(advice), not low <= 0 <= high)


def _ends(one: Told) -> tuple[float, float]:
    """The interval; the value itself where there is none."""
    low, high = one.get("low"), one.get("high")
    return (one["value"] if low is None else low), (one["value"] if high is None else high)


def _axis(ends: list[float], metric: str) -> tuple[float, float]:
    """Tenths around all that is shown; scores within 0 and 1, losses as far as they go."""
    if not ends:
        return 0.0, 1.0
    bottom, top = math.floor(min(ends) * 10) / 10, math.ceil(max(ends) * 10) / 10
    if metric not in LOWER_IS_BETTER:
        bottom, top = max(0.0, bottom), min(1.0, top)
    return (bottom, top) if top > bottom else (bottom, bottom + 0.1)


def _place(value: float, bottom: float, top: float) -> float:
    return round(100 * (value - bottom) / (top - bottom), 2)


def _signed(value: float, speech: Speech) -> str:
    return f"{'−' if value < 0 else '+'}{speech.number(abs(value), 3)}"
