"""A stored decision in the visitor's language, from its numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from storage.decisions import StoredDecision
from webapp.language import Speech


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence, and whether it is English because no other is known."""

    sentence: str
    is_english: bool


def in_words(decision: StoredDecision, metric: str, speech: Speech) -> Said:
    """The sentence; that of the common kinds in the visitor's language.

    `metric`: the name of the decision's metric in that language. English readers get the sentence as it was
    stored: it says more.
    """
    stored = Said(decision.sentence.removeprefix(f"{decision.decision} "), True)
    if speech.code == "en":
        return stored
    told: dict[str, Any] = json.loads(decision.numbers_json or "{}")
    if decision.kind == "drift" and _has(told, "drift_share", "drift_threshold"):
        return Said(
            speech.gettext(
                "%(share)s of the input columns have drifted; the alarm is at %(limit)s.",
                **shares(told["drift_share"], told["drift_threshold"], speech),
            ),
            False,
        )
    if decision.kind == "quality" and _has(told, "value", "low", "high", "reference", "rows"):
        scores = {name: speech.number(told[name], 3) for name in ("value", "low", "high", "reference")}
        return Said(
            speech.gettext(
                "%(metric)s is %(value)s (%(low)s to %(high)s) on %(rows)s recent labelled rows; its "
                "reference is %(reference)s.",
                metric=metric,
                rows=speech.number(told["rows"]),
                **scores,
            ),
            False,
        )
    return stored


def metric_of(decision: StoredDecision) -> str:
    """The name of the metric that a decision is about; empty: about none."""
    return str(json.loads(decision.numbers_json or "{}").get("metric", ""))


def shares(share: float, limit: float, speech: Speech) -> dict[str, str]:
    """Both in percent, with so many decimals that they differ where the numbers do.

    >>> shares(0.296, 0.3, Speech("en")), shares(0.5, 0.3, Speech("en"))
    ({'share': '29.6%', 'limit': '30.0%'}, {'share': '50%', 'limit': '30%'})
    """
    digits = 1 if share != limit and speech.percent(share) == speech.percent(limit) else 0
    return {"share": speech.percent(share, digits), "limit": speech.percent(limit, digits)}


def _has(told: dict[str, Any], *names: str) -> bool:
    return all(isinstance(told.get(name), (int, float)) for name in names)
