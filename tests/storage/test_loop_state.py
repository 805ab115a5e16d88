"""How the loop stands, on both kinds of database."""

from __future__ import annotations

from storage.automation import pause
from storage.database import Database
from storage.decisions import record_decision
from storage.feedback import record_feedback
from storage.loop_state import coverage, loop_state
from storage.predictions import record_predictions
from storage.reports import claim_report, fail_report, request_report
from storage.runs import fail_run, request_run, start_run
from tests.storage.rows import prediction, truth

DAY = 86_400_000


def test_nothing_was_done_yet(database: Database) -> None:
    with database.reading() as connection:
        state = loop_state(connection, "visits")
        found = coverage(connection, "visits", 10 * DAY)
    assert state.champion is None and state.last_run is None and state.last_report is None
    assert state.runs == {"built": 0, "failed": 0, "superseded": 0}
    assert state.reports_waiting == state.runs_waiting == state.promotions_waiting == 0
    assert (found.predictions, found.labelled, found.newest_ms) == (0, 0, None)


def test_counts_and_failures_in_a_row(database: Database) -> None:
    with database.writing() as connection:
        for number in range(3):
            run = request_run(connection, "visits", trigger="person", reason="", at_ms=number)
            assert start_run(connection, run.run_id, number)
            fail_run(connection, run.run_id, number, "no memory")
        request_run(connection, "visits", trigger="person", reason="", at_ms=9)
        request_run(connection, "others", trigger="person", reason="", at_ms=9)
        report = request_report(connection, "visits", trigger="person", reason="", at_ms=1)
        assert claim_report(connection, "visits", 1, "here") is not None
        fail_report(connection, report.report_id, 2, "no rows")
        request_report(connection, "visits", trigger="person", reason="", at_ms=3)
        record_decision(
            connection, "visits", kind="quality", decision="RETRAIN", sentence="RETRAIN …", at_ms=4
        )
        pause(connection, "visits", actor="person", reason="", at_ms=5)
    with database.reading() as connection:
        state = loop_state(connection, "visits")
    assert (state.runs["failed"], state.runs_failed_in_a_row, state.runs_waiting) == (3, 3, 1)
    assert (state.reports["failed"], state.reports_failed_in_a_row, state.reports_waiting) == (1, 1, 1)
    assert state.decisions == {("quality", "RETRAIN"): 1}
    assert state.quality is not None and state.automation.is_paused
    assert state.last_run is not None and state.last_run.state == "failed"


def test_coverage_is_of_the_last_seven_days(database: Database) -> None:
    now = 30 * DAY
    with database.writing() as connection:
        stored = [
            prediction("old", at_ms=now - 8 * DAY),
            prediction("one", at_ms=now - 6 * DAY),
            prediction("two", at_ms=now - DAY),
        ]
        record_predictions(connection, stored, 100)
        told = [truth("old", at_ms=now), truth("two", at_ms=now)]
        record_feedback(connection, "visits", told, 100)
    with database.reading() as connection:
        found = coverage(connection, "visits", now)
    assert (found.predictions, found.labelled, found.newest_ms) == (2, 1, now - DAY)
