"""Home says within seconds whether all is well."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from loop.clock import now_ms
from storage.automation import Automation, pause
from storage.database import Database
from storage.decisions import StoredDecision, record_decision
from storage.feedback import Feedback, record_feedback
from storage.overview import Realised
from storage.predictions import Prediction
from storage.processes import beat
from storage.versions import Version, add_version, change_stage
from tests.webapp.conftest import Pages
from webapp.charts import course, wilson
from webapp.health import Facts, concerns
from webapp.language import Speech
from webapp.plan import Plan
from webapp.pulse import Reading, ServiceState, Traffic, quantile, reading, traffic_between

ENGLISH = Speech("en")
CALM = Traffic(60.0, 0.0, 0.001, 0.004, 0, 0)
WELL = Facts(
    service=ServiceState(True, CALM),
    has_champion=True,
    has_supervisor=True,
    has_trainer=True,
    automation=Automation(False, None, False, None, None, None),
    drift=None,
    quality=None,
    last_run=None,
    running=None,
    promotions=(),
    staged=0,
    in_quarantine=0,
)
DRIFTED = StoredDecision(1, "small", "drift", "RETRAIN", "RETRAIN drift_share=0.40", "{}", 0, None)


def test_all_is_well_without_a_concern() -> None:
    assert concerns(WELL, ENGLISH) == ()


@pytest.mark.parametrize(
    ("difference", "weight", "said"),
    [
        ({"service": ServiceState(False, None)}, "failing", "does not answer"),
        ({"has_champion": False}, "failing", "Nothing is in Production"),
        ({"service": ServiceState(True, replace(CALM, failed_share=0.05))}, "failing", "5.0% of the last"),
        (
            {"service": ServiceState(True, replace(CALM, lost_rows=2))},
            "failing",
            "2 predictions were answered",
        ),
        ({"drift": DRIFTED}, "look", "Drift was found"),
        ({"automation": Automation(True, 1, False, None, "person", "holiday")}, "look", "paused"),
        (
            {"automation": Automation(False, None, True, 1, "person", "rollback")},
            "look",
            "promoted by itself",
        ),
        ({"has_trainer": False}, "look", "trainer does not run"),
        ({"staged": 1}, "look", "1 proven version waits"),
        ({"in_quarantine": 3}, "look", "3 true answers are in quarantine"),
    ],
)
def test_each_concern_is_said_in_a_sentence(difference: dict[str, Any], weight: str, said: str) -> None:
    (found,) = concerns(replace(WELL, **difference), ENGLISH)
    assert found.weight == weight and said in found.sentence


def test_the_gravest_comes_first() -> None:
    facts = replace(WELL, in_quarantine=1, service=ServiceState(False, None))
    assert [one.weight for one in concerns(facts, ENGLISH)] == ["failing", "look"]


def test_traffic_is_what_was_answered_between_two_readings() -> None:
    text = (
        "# TYPE api_requests counter\n"
        'api_requests_total{route="/predict",status="200"} 90\n'
        'api_requests_total{route="/predict",status="503"} 10\n'
        'api_requests_total{route="/metrics",status="200"} 500\n'
        "# TYPE api_request_latency_seconds histogram\n"
        'api_request_latency_seconds_bucket{route="/predict",le="0.01"} 50\n'
        'api_request_latency_seconds_bucket{route="/predict",le="0.02"} 100\n'
        'api_request_latency_seconds_bucket{route="/predict",le="+Inf"} 100\n'
    )
    traffic = traffic_between(Reading(0.0, {}, (), 0, 0), reading(text, 30.0))
    assert traffic.per_minute == 200 and traffic.failed_share == 0.1
    assert traffic.median_seconds == 0.01 and traffic.p95_seconds == pytest.approx(0.019)


def test_counters_that_were_begun_anew_count_from_zero() -> None:
    before = Reading(0.0, {("/predict", "200"): 1000}, ((0.01, 1000),), 0, 0)
    after = Reading(60.0, {("/predict", "200"): 6}, ((0.01, 6),), 0, 0)
    assert traffic_between(before, after).per_minute == 6


def test_a_quantile_beyond_the_last_bound_is_that_bound() -> None:
    assert quantile([(0.01, 1.0), (float("inf"), 10.0)], 0.95) == 0.01


def test_the_course_needs_twenty_truths_and_shows_where_another_bento_began() -> None:
    answers = [Realised(place, place % 4 != 0, "a" if place < 60 else "b") for place in range(120)]
    assert course(answers[:19], None) is None
    drawn = course(answers, 0.75)
    assert drawn is not None and drawn.swaps == (50.0,) and drawn.rows == 120
    assert all(0 <= point.low <= point.share_right <= point.high <= 1 for point in drawn.points)
    assert wilson(0, 10)[0] == 0 and wilson(10, 10)[1] == pytest.approx(1)


def _fill(database: Database, use_case: str) -> None:
    at_ms = now_ms() - 3_600_000
    scores = {
        "accuracy": {"value": 0.8, "low": 0.75, "high": 0.85},
        "roc_auc": {"value": None, "low": None, "high": None},
    }
    tag = f"{use_case}:one"
    told = []
    for place in range(40):
        stored = Prediction(
            f"p{place}",
            use_case,
            tag,
            at_ms + place,
            "{}",
            b"",
            "yes",
            '{"yes": 0.9}',
            0.9,
            None,
            None,
            "request",
            False,
        )
        told.append(Feedback(f"p{place}", "yes" if place % 5 else "no", None, None, at_ms + place, stored))
    with database.writing() as connection:
        add_version(
            connection,
            Version(tag, use_case, tag, "None", at_ms, None, None, "digest", "sgd", json.dumps(scores), None),
        )
        change_stage(connection, tag, "Production", actor="person", reason="<b>first</b>", at_ms=at_ms)
        record_feedback(connection, use_case, told, 100)
        for name in ("supervisor", "trainer"):
            beat(connection, use_case, name, pid=1, host="h", started_at_ms=1, at_ms=now_ms())
        record_decision(
            connection,
            use_case,
            kind="drift",
            decision="RETRAIN",
            sentence="RETRAIN drift_share=0.40",
            at_ms=at_ms,
        )


def test_an_empty_installation_says_what_to_do(opened: Callable[..., Pages]) -> None:
    text = opened().get("/").text
    assert "Something does not work" in text and "rebento train makes a first model" in text


def test_home_shows_what_is_stored(opened: Callable[..., Pages], plan: Plan, database: Database) -> None:
    _fill(database, plan.use_case)
    pages = opened()
    text = pages.get("/").text
    for said in (
        "doctor_visits:one",
        "Drift was found.",
        "drift_share=0.40",
        "80.0%",
        "0.800",
        "is there",
    ):
        assert said in text, said
    assert "&lt;b&gt;first&lt;/b&gt;" in text
    assert "true answers to go" in text
    with database.writing() as connection:
        pause(connection, plan.use_case, actor="person", reason="holiday", at_ms=now_ms())
    assert "Automation is paused" in pages.get("/").text


def test_a_region_is_drawn_alone_for_htmx(opened: Callable[..., Pages]) -> None:
    pages = opened()
    region = pages.get("/", headers={"hx-request": "true", "hx-target": "standing"}).text
    assert "<html" not in region and 'id="health-title"' in region
    assert "<html" in pages.get("/", headers={"hx-target": "standing"}).text
    assert "<html" in pages.get("/", headers={"hx-request": "true", "hx-target": "elsewhere"}).text


def test_the_service_line_answers_only_when_something_changed(opened: Callable[..., Pages]) -> None:
    pages = opened()
    asked = {"hx-request": "true", "hx-target": "service"}
    assert pages.get("/service?was=down", headers=asked).status_code == 204
    changed = pages.get("/service?was=up", headers=asked)
    assert "The service does not answer." in changed.text and "was=down" in changed.text
