"""Reports whose process is gone, and files whose report has gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from loop.claims import Claim
from reporting.abandoned import settle_abandoned
from reporting.files import report_files, retire_files
from storage.database import Database
from storage.reports import (
    Report,
    claim_report,
    find_report,
    finish_report,
    reports,
    reports_with_files,
    request_report,
    tell_report,
)

HERE = Claim.of_this_process("reporter", 1_000)
GONE = Claim("reporter", HERE.host, 2**22 + 1, 500)
"""No process has so large a number."""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path / 'rebento.sqlite'}")
    opened.migrate()
    yield opened
    opened.close()


def claimed(database: Database, by: Claim, at_ms: int = 1_000) -> Report:
    with database.writing() as connection:
        request_report(connection, "visits", trigger="schedule", reason="due", at_ms=at_ms)
        found = claim_report(connection, "visits", at_ms, str(by))
    assert found is not None
    return found


def settled(database: Database, report: Report, at_ms: int = 2_000) -> tuple[str, str | None]:
    with database.writing() as connection:
        settle_abandoned(connection, "visits", HERE, at_ms)
        found = find_report(connection, report.report_id)
    assert found is not None
    return found.state, found.error


def test_a_report_of_a_reporter_that_was_killed_waits_again_once(database: Database) -> None:
    report = claimed(database, GONE)
    assert settled(database, report) == ("requested", None)
    with database.writing() as connection:
        again = claim_report(connection, "visits", 3_000, str(GONE))
    assert again is not None and again.report_id == report.report_id
    assert again.reason == "due; again, because its reporter was killed"
    state, error = settled(database, report)
    assert state == "failed" and error is not None and "begun 2 times" in error


def test_one_that_has_come_to_its_decision_is_not_made_twice(database: Database) -> None:
    report = claimed(database, GONE)
    with database.writing() as connection:
        tell_report(connection, report.report_id, 1_500, str(GONE), decision="RETRAIN", sentence="RETRAIN")
    state, error = settled(database, report)
    assert state == "failed" and error is not None and "after the decision" in error


def test_a_commands_report_fails_for_its_person_saw_it_end(database: Database) -> None:
    report = claimed(database, Claim("command", HERE.host, GONE.pid, 500))
    assert settled(database, report) == ("failed", "its command was killed; run `rebento report` again")


def test_a_report_that_goes_on_is_left_alone(database: Database) -> None:
    elsewhere = claimed(database, Claim("reporter", "another host", 1, 500))
    assert settled(database, elsewhere) == ("running", None)
    assert settled(database, elsewhere, at_ms=1_000 + 61_000)[0] == "requested"
    parent = Claim.of_this_process("command", 500)
    running = claimed(database, Claim("command", HERE.host, 1, 500), at_ms=90_000)
    assert parent.pid != 1 and settled(database, running, at_ms=90_001) == ("running", None)


def made(database: Database, name: str, at_ms: int) -> Report:
    report = claimed(database, HERE, at_ms)
    html, json = report_files("visits", name)
    with database.writing() as connection:
        finish_report(connection, report.report_id, at_ms, html=html.as_posix(), json=json.as_posix())
        found = find_report(connection, report.report_id)
    assert found is not None
    return found


def test_the_newest_files_are_kept_and_every_row(database: Database) -> None:
    several = [made(database, f"drift_{place}", place) for place in range(5)]
    with database.writing() as connection:
        gone = retire_files(connection, several[-1], kept=3)
        assert [path.name for path in gone] == [
            "drift_0.html", "drift_0.json", "drift_1.html", "drift_1.json",
        ]  # fmt: skip
        assert [one.html for one in reports_with_files(connection, "visits")] == [
            f"reports/visits/drift_{place}.html" for place in (4, 3, 2)
        ]
        assert len(reports(connection, "visits")) == 5


def test_a_comparison_made_again_takes_over_the_files(database: Database) -> None:
    first, other, again = (
        made(database, name, place) for place, name in enumerate(("a_vs_b", "c", "a_vs_b"))
    )
    with database.writing() as connection:
        assert retire_files(connection, again) == []
        named = [one.report_id for one in reports_with_files(connection, "visits")]
    assert named == [again.report_id, other.report_id] and first.report_id not in named
