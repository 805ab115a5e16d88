"""The reporter as a process, killed and told to stop, and `rebento report` beside it."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from loop.clock import now_ms
from loop.progress import Silence
from reporting.child import Task, make_in_child
from storage.database import Database
from storage.processes import alive
from storage.reports import Report, find_report, last_report, reports, request_report
from tests.homes import Home, wait_for
from tests.journeys.trainers import Gate, log, started, stored
from tests.processes import beneath, is_there

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def home(trained: Home, tmp_path: Path) -> Home:
    return trained.copy(tmp_path)


@pytest.fixture
def gate(home: Home) -> Gate:
    """Held shut: a report on a date of the source waits there."""
    shut = Gate(home)
    shut.shut()
    return shut


@pytest.fixture
def database(home: Home) -> Iterator[Database]:
    with stored(home) as opened:
        yield opened


def ask(database: Database, asked_json: str = '{"current": "2024-01-31"}') -> str:
    with database.writing() as connection:
        return request_report(
            connection, "small", trigger="person", reason="a page", asked_json=asked_json, at_ms=now_ms()
        ).report_id


def found(database: Database, report_id: str) -> Report:
    with database.reading() as connection:
        report = find_report(connection, report_id)
    assert report is not None
    return report


def jobs(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return beneath(process.pid, "reporting.job", recursive=True)


def ended(database: Database, report_id: str) -> Report:
    # It is made at low priority: on a busy machine everybody else comes first.
    wait_for(lambda: found(database, report_id).state in ("done", "failed"), "the report's end", 240)
    return found(database, report_id)


def test_it_says_that_it_is_there_and_leaves_when_told(home: Home, database: Database) -> None:
    def is_there() -> bool:
        with database.reading() as connection:
            return alive(connection, "small", "reporter", at_ms=now_ms()) is not None

    with started(home, "reporter") as process:
        wait_for(is_there, "the reporter")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert not is_there()


def test_a_refused_report_says_why_and_the_next_is_made(home: Home, database: Database) -> None:
    refused, good = ask(database), ask(database, "{}")
    with started(home, "reporter"):
        report = ended(database, refused)
        assert report.state == "failed" and report.error is not None
        assert report.error.startswith("small has no dates to compare")
        said = f"ERROR a report failed report={refused}: small has no dates"
        wait_for(lambda: said in log(home), "the log to say so")
        assert ended(database, good).state == "done"


def test_a_job_that_is_killed_is_marked_failed_and_the_last_good_files_stay(
    home: Home, database: Database, gate: Gate
) -> None:
    good = ask(database, "{}")
    with started(home, "reporter") as process:
        kept = ended(database, good)
        assert kept.html is not None
        before = (home.var / kept.html).read_bytes()
        killed = ask(database)
        gate.wait_for_a_run()
        (job,) = jobs(process)
        assert job.nice() == min(psutil.Process(process.pid).nice() + 10, 19)
        job.kill()
        report = ended(database, killed)
    assert report.state == "failed" and "killed" in str(report.error)
    assert (home.var / kept.html).read_bytes() == before


def test_a_report_in_the_hands_of_a_killed_reporter_is_made_by_the_next(
    home: Home, database: Database, gate: Gate
) -> None:
    asked = ask(database)
    with started(home, "reporter") as process:
        gate.wait_for_a_run()
        (job,) = jobs(process)
        process.kill()
        process.wait()
        wait_for(lambda: not is_there(job), "its job to end")
    assert found(database, asked).state == "running"
    gate.open()
    with started(home, "reporter"):
        report = ended(database, asked)
    assert "again, because its reporter was killed" in report.reason
    assert "has no dates to compare" in str(report.error)


def test_a_reporter_that_is_told_to_stop_puts_its_report_back(
    home: Home, database: Database, gate: Gate
) -> None:
    asked = ask(database)
    with started(home, "reporter") as process:
        gate.wait_for_a_run()
        (job,) = jobs(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert not is_there(job)
    report = found(database, asked)
    assert (report.state, report.claimed_by, report.attempts) == ("requested", None, 0)


def test_a_command_that_is_interrupted_ends_its_report(home: Home, database: Database, gate: Gate) -> None:
    with started(home, "report", "--current", "2024-01-31") as process:
        gate.wait_for_a_run()
        process.send_signal(signal.SIGINT)
        process.wait(60)
    with database.reading() as connection:
        (report,) = reports(connection, "small")
    assert (report.state, report.error) == ("failed", "it was interrupted")


def task(home: Home, report_id: str) -> Task:
    return Task(
        report_id=report_id,
        use_case="small",
        use_case_folders=(str(home.folder / "use_cases"),),
        home=str(home.var),
        data=str(home.folder),
        database_url=home.database_url,
        claimed_by="command@here:1:1",
    )


def test_a_child_that_takes_too_long_is_ended(home: Home, database: Database, gate: Gate) -> None:
    beats: list[int] = []
    done = make_in_child(task(home, ask(database)), Silence(), within_seconds=4, beat=lambda: beats.append(1))
    assert "took longer than 4 s" in done.reason and beats


def test_a_child_says_in_one_sentence_what_broke_it(home: Home, database: Database) -> None:
    done = make_in_child(task(home, "no such"), Silence(), within_seconds=240, beat=lambda: None)
    assert (done.code, done.reason) == (1, "there is no report no such")


def test_a_drawing_that_fails_leaves_the_decision_and_the_last_good_files(
    home: Home, database: Database
) -> None:
    home.rebento("report")
    folder = home.var / "reports" / "small"
    before = {path.name for path in folder.iterdir()}
    # A workspace where none can be.
    (home.var / "evidently").rename(home.var / "aside")
    (home.var / "evidently").write_text("in the way")
    run = home.rebento("report", check=False)
    assert run.returncode == 1 and run.stdout.startswith("INVESTIGATE drift_share=0.00")
    assert "no report was made: " in run.stderr and "Traceback" not in run.stderr
    with database.reading() as connection:
        newest, good = reports(connection, "small")
        assert (newest.state, newest.decision, newest.html) == ("failed", "INVESTIGATE", None)
        assert json.loads(newest.numbers_json)["columns"] and good == last_report(connection, "small")
    assert {path.name for path in folder.iterdir()} == before
