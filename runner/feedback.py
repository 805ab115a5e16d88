"""The entries of a feedback call: what they must hold, and where their predictions are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from loop.labels import matching_class
from loop.refusals import Problem
from runner.cells import short
from runner.journal import PredictionBatch

_FEEDBACK_KEYS = frozenset(("prediction_id", "row", "target", "source", "key"))
#: Longest text of a source or key: they are indexed.
_LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True)
class FeedbackItem:
    """One true answer, checked. `position` points into the call's batch where the row came whole."""

    prediction_id: str
    target: str
    source: str | None
    key: str | None
    position: int | None


@dataclass(frozen=True, slots=True)
class FeedbackCall:
    """The true answers of one call, and the predictions of those rows that came whole."""

    items: list[FeedbackItem]
    whole: PredictionBatch | None
    received_at_ms: int


def feedback_item(index: int, item: Any, classes: tuple[str, ...], problems: list[Problem]) -> FeedbackItem:
    """One entry of a feedback call; what is wrong with it goes into `problems`."""
    if not isinstance(item, dict):
        problems.append(Problem(index, "feedback", 'an entry is an object {"prediction_id": …, "target": …}'))
        return FeedbackItem("", "", None, None, None)
    for name in item.keys() - _FEEDBACK_KEYS:
        problems.append(Problem(index, str(name)[:_LONGEST_TEXT], "is not part of a feedback"))
    if ("prediction_id" in item) == ("row" in item):
        problems.append(Problem(index, "prediction_id", "send either a prediction_id or a whole row"))
    prediction_id = item.get("prediction_id", "")
    if not isinstance(prediction_id, str):
        problems.append(Problem(index, "prediction_id", "must be the text given in an answer"))
        prediction_id = ""
    target = matching_class(item.get("target"), classes)
    if target is None or target not in classes:
        named = ", ".join(classes[:20]) + (", …" if len(classes) > 20 else "")
        what = "is missing" if item.get("target") is None else f"{short(item['target'])} is no class"
        problems.append(Problem(index, "target", f"{what}; the classes are {named}"))
    source, key = (_text(index, item, name, problems) for name in ("source", "key"))
    if key is not None and "row" not in item:
        problems.append(Problem(index, "key", "belongs to a whole row; a prediction_id is its own key"))
    return FeedbackItem(prediction_id, target or "", source, key, 0 if "row" in item else None)


def placed(items: list[FeedbackItem], batch: PredictionBatch | None) -> list[FeedbackItem]:
    """Items with whole rows pointed at their prediction in the batch, in order."""
    if batch is None:
        return items
    position = iter(range(len(batch.ids)))
    placed = []
    for item in items:
        if item.position is not None:
            here = next(position)
            item = FeedbackItem(batch.ids[here], item.target, item.source, item.key, here)
        placed.append(item)
    return placed


def _text(index: int, item: dict[str, Any], name: str, problems: list[Problem]) -> str | None:
    value = item.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value or len(value) > _LONGEST_TEXT or "\x00" in value:
        problems.append(Problem(index, name, f"must be text of 1 to {_LONGEST_TEXT} characters"))
        return None
    return value
