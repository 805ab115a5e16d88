"""How long true answers take to come."""

from __future__ import annotations

from storage.database import Database
from storage.label_delays import LabelDelays, label_delays
from storage.quarantine import suspend_source
from tests.storage.rows import USE_CASE, log, prediction, tell, truth

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NOW_MS = 100 * DAY_MS


def found(
    database: Database, *, from_ms: int = 0, before_ms: int = NOW_MS, use_case: str = USE_CASE
) -> LabelDelays:
    with database.reading() as connection:
        return label_delays(connection, use_case, from_ms=from_ms, before_ms=before_ms, at_ms=NOW_MS)


def test_delays_run_from_the_prediction_to_the_first_feedback_that_counts(database: Database) -> None:
    log(database, *"abcde", at_ms=1_000)
    for place, name in enumerate("abc"):
        tell(database, truth(name, at_ms=1_000 + (place + 1) * HOUR_MS))
    tell(database, truth("a", "no", at_ms=1_000 + 50 * HOUR_MS))  # a correction is no later label
    told = found(database)
    assert (told.rows, told.labelled) == (5, 3)
    assert {name: round(hours, 6) for name, hours in told.quantile_hours.items()} == {
        0.1: 1.2,
        0.5: 2.0,
        0.9: 2.8,
    }


def test_feedback_that_does_not_count_is_no_label(database: Database) -> None:
    log(database, *"ab", at_ms=1_000)
    tell(database, truth("a", at_ms=2_000, source="odd"), truth("never", at_ms=2_000))
    with database.writing() as connection:
        suspend_source(connection, USE_CASE, "odd", reason="odd", at_ms=3_000, since_ms=0)
    tell(database, truth("b", at_ms=4_000, source="odd"))  # held: its source is suspended
    told = found(database)
    assert (told.rows, told.labelled, told.quantile_hours) == (2, 0, {})
    tell(database, truth("a", at_ms=1_000 + 7 * HOUR_MS))
    assert found(database).quantile_hours[0.5] == 7.0


def test_rows_that_came_whole_with_their_truth_waited_for_none(database: Database) -> None:
    whole = prediction("w", at_ms=1_000)._replace(origin="feedback")
    log(database, "a", at_ms=1_000)
    tell(database, truth("w", at_ms=1_000, whole=whole))
    assert (found(database).rows, found(database).labelled) == (1, 0)


def test_only_the_stretch_of_time_and_the_use_case_are_told(database: Database) -> None:
    for place, name in enumerate("abc"):
        log(database, name, at_ms=1_000 * (place + 1))
        tell(database, truth(name, at_ms=1_000 * (place + 1) + HOUR_MS))
    told = found(database, from_ms=2_000, before_ms=3_000)
    assert (told.rows, told.labelled) == (1, 1)
    assert found(database, use_case="another").rows == 0
    assert found(database, before_ms=0).quantile_hours == {}


def test_coverage_is_told_by_age(database: Database) -> None:
    ages = {"young": 0.5, "day": 23.0, "week": 160.0, "month": 700.0, "old": 2000.0}
    for name, hours in ages.items():
        log(database, name, at_ms=NOW_MS - int(hours * HOUR_MS))
    tell(database, truth("week", at_ms=NOW_MS), truth("old", at_ms=NOW_MS))
    by_age = found(database).by_age
    assert [(one.rows, one.labelled) for one in by_age] == [(1, 0), (1, 0), (1, 1), (1, 0), (1, 1)]
    assert [one.to_hours for one in by_age] == [1.0, 24.0, 168.0, 720.0, None]
    assert [one.coverage for one in by_age][:3] == [0.0, 0.0, 1.0]


def test_feedback_that_is_stored_before_its_prediction_has_no_delay(database: Database) -> None:
    tell(database, truth("early", at_ms=500))
    log(database, "early", at_ms=1_000)
    assert found(database).quantile_hours == {0.1: 0.0, 0.5: 0.0, 0.9: 0.0}
