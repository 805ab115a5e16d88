"""The benchmark of the drift alarm, shortened: passes with the alarm, fails with one that is broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.drift import NOT_COUNTED, too_deaf, too_loud
from benchmarks.drift_windows import Found, calm, changed, doctor_visits, moved, streamflow_month
from benchmarks.million import million
from benchmarks.watched import Champion
from loop.triggers import Decision
from tests.shared_data import DATA

WINDOWS = 15


@pytest.fixture(scope="module")
def visits() -> Champion:
    return doctor_visits(Path("no files are read"))


@pytest.mark.slow
def test_the_alarm_is_silent_where_nothing_changes(visits: Champion) -> None:
    found = {
        "any rows": calm(visits.learned, WINDOWS),
        "whole persons": calm(visits.learned, WINDOWS, by_identity=True),
    }
    assert too_loud(found) == []


@pytest.mark.slow
def test_an_alarm_that_takes_rows_of_one_person_for_independent_fails_the_benchmark(visits: Champion) -> None:
    found = calm(visits.learned, WINDOWS, by_identity=True, knows_whose=False)
    assert "whole persons: RETRAIN in" in too_loud({"whole persons": found})[0]


@pytest.mark.slow
def test_an_alarm_without_a_rule_for_luck_names_inputs_that_did_not_drift(
    visits: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    eager = visits.learned.use_case.policy.model_copy(update={"drift_distance": 0.0, "drift_share": 0.01})
    pool = visits.learned.under(eager)
    assert too_loud({"any rows": calm(pool, WINDOWS, seed=5)}) == []
    monkeypatch.setattr("loop.drift._level", lambda chances, false_alarms: false_alarms)
    assert len(too_loud({"any rows": calm(pool, WINDOWS, seed=5)})) == 1


@pytest.mark.slow
def test_moved_columns_are_heard_and_a_deaf_alarm_fails_the_benchmark(
    visits: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = moved(visits, 1.0, True, 3, sizes=(1_000,))
    assert too_deaf("moved", heard, "RETRAIN") == []
    monkeypatch.setattr("loop.drift._level", lambda chances, false_alarms: 0.0)
    unheard = moved(visits, 1.0, True, 3, sizes=(1_000,))
    assert too_deaf("moved", unheard, "RETRAIN") == [
        "moved: RETRAIN in 0% of windows of 1,000 rows, at least 95% must"
    ]


@pytest.mark.slow
def test_a_changed_concept_is_silent_until_labels_come() -> None:
    champion, later = streamflow_month((DATA / "streamflow_seeds.zip").parent)
    before = changed(champion, later, 3, is_labelled=False, in_order=False, sizes=(1_000,))
    after = changed(champion, later, 3, is_labelled=True, in_order=False, sizes=(1_000,))
    assert before[0].share("NO_ACTION") == 1.0
    assert after[0].share("RETRAIN") == 1.0
    assert {one.numbers["change"] for one in after[0].decisions} == {"concept"}


def test_what_is_shown_for_comparison_breaks_no_promise() -> None:
    loud = Found(500, (Decision("RETRAIN", ""),) * 10, 1.0)
    assert too_loud({NOT_COUNTED: loud}) == []
    assert len(too_loud({"any rows": loud})) == 1


def test_more_rows_are_counted_in_the_same_memory() -> None:
    found = million(rows=100_000)
    assert found.rows == 100_000
    assert np.isfinite(found.counting_seconds)
