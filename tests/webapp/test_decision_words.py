"""Decisions in the reader's language: from their numbers where these say enough."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from storage.decisions import StoredDecision
from webapp.decision_words import in_words, metric_of, shares
from webapp.language import Speech

ENGLISH, FRENCH = Speech("en"), Speech("fr")


def _decision(kind: Any, **numbers: Any) -> StoredDecision:
    return StoredDecision(1, "u", kind, "NO_ACTION", "NO_ACTION as stored", json.dumps(numbers), 0, None)


@pytest.mark.parametrize(
    ("kind", "numbers", "french"),
    [
        ("drift", {"drift_share": 0.06, "drift_threshold": 0.3}, "6 % des colonnes d’entrée ont dérivé"),
        (
            "quality",
            {"metric": "f1", "value": 0.5, "low": 0.4, "high": 0.6, "reference": 0.7, "rows": 1200},
            "F1 : 0,500 (0,400 à 0,600) sur 1 200 lignes étiquetées récentes ; sa référence est 0,700.",
        ),
    ],
)
def test_the_common_kinds_are_said_in_french_from_their_numbers(
    kind: str, numbers: dict[str, Any], french: str
) -> None:
    said = in_words(_decision(kind, **numbers), "F1", FRENCH)
    assert french in re.sub(r"\s", " ", said.sentence) and not said.is_english
    assert in_words(_decision(kind, **numbers), "F1", ENGLISH).sentence == "as stored"


@pytest.mark.parametrize("kind", ["drift", "quality", "suspicion"])
def test_a_decision_without_its_numbers_stays_as_it_was_stored_and_says_that_it_is_english(kind: str) -> None:
    said = in_words(_decision(kind, drift_share=None, value=None), "", FRENCH)
    assert (said.sentence, said.is_english) == ("as stored", True)
    assert metric_of(_decision(kind)) == ""


def test_a_share_just_below_the_alarm_does_not_read_as_if_it_had_reached_it() -> None:
    assert shares(0.296, 0.3, ENGLISH) == {"share": "29.6%", "limit": "30.0%"}
    assert shares(0.3, 0.3, ENGLISH) == {"share": "30%", "limit": "30%"}
