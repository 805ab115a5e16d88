"""Reports, from request to end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from storage.database import Database
from storage.decisions import record_decision
from storage.reports import (
    Report,
    ReportNotOpen,
    claim_report,
    fail_report,
    find_report,
    finish_report,
    forget_files,
    last_report,
    latest_own_request_ms,
    reports,
    reports_with_files,
    request_report,
    requeue_report,
    running_reports,
    tell_report,
)
from tests.storage.rows import USE_CASE


def ask(database: Database, at_ms: int, *, use_case: str = USE_CASE, **more: Any) -> Report:
    wanted: dict[str, Any] = {"trigger": "person", "reason": "rebento report"} | more
    with database.writing() as connection:
        return request_report(connection, use_case, at_ms=at_ms, **wanted)


def claim(
    database: Database, at_ms: int, by: str = "reporter", report_id: str | None = None
) -> Report | None:
    with database.writing() as connection:
        return claim_report(connection, USE_CASE, at_ms, by, report_id=report_id)


def ids(found: tuple[Report, ...]) -> list[str]:
    return [report.report_id for report in found]


def test_a_report_goes_from_request_to_its_decision_and_files(database: Database) -> None:
    asked = ask(database, 1_000, asked_json='{"to": "2026-11-08", "from": "2026-11-01"}')
    assert (asked.state, asked.numbers_json, asked.html) == ("requested", "{}", None)
    assert json.loads(asked.asked_json) == {"from": "2026-11-01", "to": "2026-11-08"}
    claimed = claim(database, 2_000)
    assert claimed is not None and (claimed.state, claimed.started_at_ms) == ("running", 2_000)
    with database.writing() as connection:
        assert running_reports(connection, USE_CASE) == (claimed,)
        assert tell_report(connection, asked.report_id, 3_000, "reporter", bento="visits:1")
        assert not tell_report(connection, asked.report_id, 3_500, "another", bento="visits:2")
        finish_report(
            connection,
            asked.report_id,
            4_000,
            claimed_by="reporter",
            name="drift_a_vs_b",
            decision="NO_ACTION",
            sentence="NO_ACTION drift_share=0.00 < 0.30 (target_drift=0.0)",
            numbers_json='{"drift_share": 0.0}',
            html="reports/visits/drift_a_vs_b.html",
        )
    with database.reading() as connection:
        ended = find_report(connection, asked.report_id)
        assert ended is not None and ended == last_report(connection, USE_CASE)
        assert (ended.state, ended.bento, ended.ended_at_ms, ended.beat_at_ms) == (
            "done", "visits:1", 4_000, 3_000,
        )  # fmt: skip
        assert running_reports(connection, USE_CASE) == ()


def test_an_equal_request_that_waits_is_given_instead_of_another(database: Database) -> None:
    first = ask(database, 1_000, asked_json='{"last_rows": 10}')
    assert ask(database, 2_000, asked_json='{"last_rows":10}', trigger="schedule") == first
    other = ask(database, 3_000, asked_json='{"last_rows": 20}')
    assert claim(database, 4_000, report_id=first.report_id) is not None
    again = ask(database, 5_000, asked_json='{"last_rows": 10}')
    with database.reading() as connection:
        assert ids(reports(connection, USE_CASE)) == ids((again, other, first))


def test_what_a_person_asks_for_is_done_first_and_each_report_by_one_process(database: Database) -> None:
    scheduled = ask(database, 1_000, trigger="schedule")
    wanted = ask(database, 2_000, asked_json='{"last_days": 7}')
    ask(database, 500, use_case="other")
    claimed = [claim(database, 3_000, by=f"process {place}") for place in range(3)]
    assert [one and one.report_id for one in claimed] == [wanted.report_id, scheduled.report_id, None]
    assert claim(database, 4_000, report_id=wanted.report_id) is None


def test_a_report_that_fails_leaves_the_last_good_one(database: Database) -> None:
    for at_ms in (1_000, 2_000):
        ask(database, at_ms)
        claim(database, at_ms)
    with database.writing() as connection:
        newer, older = reports(connection, USE_CASE)
        finish_report(connection, older.report_id, 3_000)
        fail_report(connection, newer.report_id, 4_000, "no memory", decision="RETRAIN")
        good = last_report(connection, USE_CASE)
        assert good is not None and good.report_id == older.report_id
        failed = find_report(connection, newer.report_id)
        assert failed is not None and (failed.state, failed.error, failed.decision) == (
            "failed", "no memory", "RETRAIN",
        )  # fmt: skip
        with pytest.raises(ReportNotOpen, match="has ended already"):
            fail_report(connection, newer.report_id, 5_000, "twice")
        with pytest.raises(ReportNotOpen, match="is not running"):
            finish_report(connection, older.report_id, 5_000)


def test_only_who_has_a_report_ends_it(database: Database) -> None:
    asked = ask(database, 1_000)
    claim(database, 2_000)
    with database.writing() as connection:
        with pytest.raises(ReportNotOpen):
            finish_report(connection, asked.report_id, 3_000, claimed_by="another")
        requeue_report(connection, asked.report_id, 4_000, "its process was killed")
        with pytest.raises(ReportNotOpen):
            requeue_report(connection, asked.report_id, 4_000, "twice")
    again = claim(database, 5_000, by="another")
    assert again is not None and again.attempts == 1
    assert again.reason == "rebento report; again, because its process was killed"


def test_reports_come_a_page_at_a_time(database: Database) -> None:
    made = [ask(database, 1_000 * (place // 2), asked_json=f'{{"last_rows": {place}}}') for place in range(6)]
    with database.reading() as connection:
        newest = reports(connection, USE_CASE, limit=4)
        rest = reports(connection, USE_CASE, limit=4, before=newest[-1].report_id)
        assert len(newest) == 4 and {*ids(newest), *ids(rest)} == {*ids(tuple(made))}
        assert reports(connection, USE_CASE, before="unknown") == ()


def test_the_schedule_counts_from_what_no_person_asked_for(database: Database) -> None:
    with database.reading() as connection:
        assert latest_own_request_ms(connection, USE_CASE) is None
    ask(database, 1_000, trigger="schedule")
    ask(database, 2_000, asked_json='{"last_rows": 1}')
    with database.reading() as connection:
        assert latest_own_request_ms(connection, USE_CASE) == 1_000


def test_files_are_forgotten_and_the_row_stays(database: Database) -> None:
    asked = ask(database, 1_000)
    claim(database, 1_000)
    with database.writing() as connection:
        decision_id = record_decision(
            connection, USE_CASE, kind="drift", decision="RETRAIN", sentence="RETRAIN", at_ms=1
        )
        finish_report(
            connection, asked.report_id, 2_000, html="a.html", json="a.json", decision_id=decision_id
        )
        assert ids(reports_with_files(connection, USE_CASE)) == [asked.report_id]
        forget_files(connection, asked.report_id)
        assert reports_with_files(connection, USE_CASE) == ()
        kept = last_report(connection, USE_CASE)
        assert kept is not None and (kept.html, kept.decision_id) == (None, decision_id)
