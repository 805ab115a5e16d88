"""Promised, estimated, realised: the same names in the same order, wherever they are shown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from loop.clock import now_ms
from loop.quality_words import BLIND, OFF_HIGH, SENTENCES, THREE_NUMBERS
from storage.database import Database
from storage.reports import claim_report, finish_report, request_report
from storage.versions import Version, add_version, change_stage
from tests.webapp.conftest import Pages
from webapp.language import Speech, catalogue
from webapp.plan import Plan
from webapp.quality import shown_quality

ENGLISH, FRENCH = Speech("en"), Speech("fr")
REFERENCE = {"value": 0.81, "low": 0.79, "high": 0.83}
ESTIMATED = {"value": 0.8, "low": 0.76, "high": 0.84, "rows": 1_240, "of": "unlabelled"}
REALISED = {"value": 0.47, "low": 0.43, "high": 0.51, "rows": 310}
NOTHING: dict[str, Any] = {
    **dict.fromkeys(("reference", "estimated", "realised", "estimate_error", "coverage", "delay_hours")),
    **{"metric": "roc_auc", "coverage_by_age": [], "scores": {}, "classes": {}, "confusion": None},
}
ALL = {
    **NOTHING,
    "reference": REFERENCE,
    "estimated": ESTIMATED,
    "realised": REALISED,
    "estimate_error": {"value": 0.33, "low": 0.28, "high": 0.38, "rows": 310, "estimated": 0.8},
    "coverage": 0.2,
    "delay_hours": {"0.1": 1.0, "0.5": 20.0, "0.9": 210.0},
}


def test_the_three_stand_in_one_order_on_one_axis() -> None:
    shown = shown_quality(ALL, ENGLISH)
    assert [one.name for one in shown.numbers] == ["Reference", "Estimated", "Realised"]
    assert (shown.bottom, shown.top) == (0.4, 0.9)
    assert [one.x for one in shown.numbers] == [82.0, 80.0, 14.0]
    assert all(0 <= one.x_low <= one.x <= one.x_high <= 100 for one in shown.numbers)
    assert shown.says == (
        "When it was built it reached 0.810 (0.790 to 0.830). "
        "On 1,240 answers without their truth 0.800 is estimated (0.760 to 0.840). "
        "On 310 answers whose truth is known it reached 0.470 (0.430 to 0.510)."
    )
    assert shown.blind == BLIND


def test_an_estimate_that_was_far_off_is_said_to_be() -> None:
    error = shown_quality(ALL, ENGLISH).error
    assert error is not None and error.is_far and error.advice == OFF_HIGH
    assert "the estimate was 0.800: off by +0.330 (+0.280 to +0.380)" in error.says
    near = {**ALL, "estimate_error": {"value": -0.01, "low": -0.05, "high": 0.03, "estimated": 0.8}}
    calm = shown_quality(near, ENGLISH).error
    assert calm is not None and not calm.is_far and "−0.010" in calm.says


def test_what_is_not_known_says_why() -> None:
    shown = shown_quality(NOTHING, ENGLISH)
    assert [one.value for one in shown.numbers] == [None] * 3 and shown.blind == ""
    assert shown.says.endswith("Too few true answers are known.")
    every = shown_quality({**ALL, "estimated": {**ESTIMATED, "of": "all"}}, ENGLISH)
    assert "On all 1,240 answers" in every.says


def test_a_loss_may_lie_above_one() -> None:
    loss = {**ALL, "metric": "log_loss", "realised": {"value": 1.3, "low": 1.2, "high": 1.4, "rows": 30}}
    shown = shown_quality(loss, ENGLISH)
    assert shown.top == 1.4 and shown.is_lower_better


def test_every_sentence_of_the_three_numbers_has_its_french() -> None:
    french = catalogue("fr")
    texts = [*SENTENCES, *(text for word in THREE_NUMBERS for text in (word.name, word.meaning))]
    assert [text for text in texts if text not in french] == []
    assert shown_quality(ALL, FRENCH).numbers[2].name == "Réalisée"


def _report(database: Database, plan: Plan, tag: str, quality: dict[str, Any] = ALL) -> str:
    """A done report of a champion, or of another Bento."""
    with database.writing() as connection:
        asked = request_report(
            connection, plan.use_case, trigger="person", reason="asked", asked_json="{}", at_ms=now_ms()
        )
        claim_report(connection, plan.use_case, now_ms(), "reporter")
        finish_report(
            connection,
            asked.report_id,
            now_ms(),
            bento=tag,
            decision="RETRAIN",
            sentence="RETRAIN drift_share=0.05",
            name="drift_a_vs_b",
            numbers_json=json.dumps({"quality": quality}),
        )
    return asked.report_id


@pytest.mark.parametrize("is_champions", [True, False])
def test_home_shows_the_last_report_of_the_champion_alone(
    is_champions: bool, opened: Callable[..., Pages], plan: Plan
) -> None:
    database = Database.open(plan.database_url)
    database.migrate()
    tag = f"{plan.use_case}:one"
    with database.writing() as connection:
        version = Version(tag, plan.use_case, tag, "None", 1, None, None, "digest", "sgd", "{}", None)
        add_version(connection, version)
        change_stage(connection, tag, "Production", actor="person", reason="first", at_ms=1)
    _report(database, plan, tag if is_champions else f"{plan.use_case}:older")
    database.close()
    text = opened().get("/").text
    assert ("As the last report saw it," in text) is is_champions
    names = re.findall(r"<dt>(\w+) <span class=\"hint\">", text)
    assert names == (["Reference", "Estimated", "Realised"] if is_champions else [])


def test_a_score_without_an_interval_is_shown_without_one(opened: Callable[..., Pages], plan: Plan) -> None:
    bare, known = {"value": 0.5, "low": None, "high": None}, {"value": 0.6, "low": 0.55, "high": 0.65}
    quality = {
        **ALL,
        "scores": {"roc_auc": bare, "f1": known, "accuracy": None},
        "estimated_scores": {"roc_auc": bare, "f1": known},
        "classes": {"yes": {"precision": bare, "recall": known, "f1": None, "rows": 3}},
    }
    database = Database.open(plan.database_url)
    database.migrate()
    report_id = _report(database, plan, f"{plan.use_case}:one", quality)
    database.close()
    found = opened().get(f"/reports/{report_id}")
    assert found.status_code == 200
    assert found.text.count("0.500</td>") == 3 and found.text.count("0.550–0.650") == 3


def test_every_state_of_the_block_is_drawn(opened: Callable[..., Pages]) -> None:
    text = opened().get("/patterns").text
    for said in ("No estimate can be made.", "is estimated", OFF_HIGH[:40], "older than", "Confusion matrix"):
        assert said in text, said
