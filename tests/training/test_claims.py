"""Whose run it is, whether they are still there, and what becomes of a run whose process is gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from loop.claims import SILENCE_MS, Claim, is_gone
from loop.progress import Silence
from loop.refusals import DataNotFound
from loop.stopping import Stopped
from storage.database import Database
from storage.runs import Run, RunNotOpen, beat_run, request_run, requeue_run, run, runs, start_run
from tests.homes import wait_for
from tests.training.conftest import use_case_of
from tests.training.told import opened
from training.abandoned import settle_abandoned
from training.heartbeat import Heartbeat
from training.run import train

HERE = Claim.of_this_process("trainer", 1_000)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = opened(tmp_path)
    yield made
    made.close()


def test_a_claim_is_read_as_it_was_written() -> None:
    assert Claim.parse(str(HERE)) == HERE and HERE.pid == os.getpid()
    for text in ("", "trainer", "somebody@host:1:2", "trainer@host:x:2", "trainer@host:1:"):
        assert Claim.parse(text) is None


def test_on_its_own_host_a_process_is_missed_at_once_and_elsewhere_by_its_silence() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    claim = Claim("trainer", HERE.host, process.pid, 5)
    assert not is_gone(claim, 1_000, here=HERE, at_ms=1_000)
    process.kill()
    process.wait()
    assert process.stdin is not None
    process.stdin.close()
    assert is_gone(claim, 1_000, here=HERE, at_ms=1_000)
    elsewhere = Claim("trainer", "another", process.pid, 5)
    assert not is_gone(elsewhere, 1_000, here=HERE, at_ms=1_000 + SILENCE_MS)
    assert is_gone(elsewhere, 1_000, here=HERE, at_ms=1_001 + SILENCE_MS)
    assert is_gone(None, None, here=HERE, at_ms=10 * SILENCE_MS)


def test_a_restarted_container_has_its_own_process_id_again() -> None:
    assert is_gone(Claim("trainer", HERE.host, HERE.pid, 5), 1_000, here=HERE, at_ms=1_000)


def begun(database: Database, claim: str | None, at_ms: int) -> str:
    with database.writing() as connection:
        asked = request_run(connection, "visits", trigger="feedback", reason="k", at_ms=at_ms)
        assert start_run(connection, asked.run_id, at_ms, claimed_by=claim)
    return asked.run_id


def settled(database: Database, run_id: str, at_ms: int) -> tuple[str | None, Run]:
    with database.writing() as connection:
        said = settle_abandoned(connection, "visits", str(HERE), at_ms)
        found = run(connection, run_id)
    assert found is not None
    return said, found


def test_a_run_that_goes_on_elsewhere_is_left_alone(database: Database) -> None:
    run_id = begun(database, "trainer@another:1:1", 1_000)
    with database.writing() as connection:
        beat_run(connection, run_id, 50_000)
    said, found = settled(database, run_id, 50_000 + SILENCE_MS)
    assert said is None and found.state == "running"
    said, found = settled(database, run_id, 50_001 + SILENCE_MS)
    assert said is not None and found.state == "requested" and found.attempts == 1


def test_the_third_trainer_that_is_killed_in_it_ends_a_run(database: Database) -> None:
    run_id = begun(database, str(HERE), 1_000)
    for attempt in (1, 2):
        _, found = settled(database, run_id, 2_000)
        assert (found.state, found.attempts, found.claimed_by) == ("requested", attempt, None)
        with database.writing() as connection:
            assert start_run(connection, run_id, 3_000, claimed_by=str(HERE))
    said, found = settled(database, run_id, 4_000)
    assert found.state == "failed" and "begun 3 times" in (found.error or "")
    assert said is not None and run_id in said


def test_a_command_that_was_killed_has_failed(database: Database) -> None:
    run_id = begun(database, str(Claim("command", HERE.host, HERE.pid, 5)), 1_000)
    _, found = settled(database, run_id, 2_000)
    assert found.state == "failed" and "`rebento train` again" in (found.error or "")


def test_a_killed_command_does_not_stand_in_the_way_of_the_next(database: Database, tmp_path: Path) -> None:
    run_id = begun(database, str(Claim("command", HERE.host, HERE.pid, 5)), 1_000)
    with pytest.raises(DataNotFound):
        train(use_case_of(), home=tmp_path, data=tmp_path, database=database)
    with database.reading() as connection:
        later, killed = runs(connection, "visits")
    assert killed.run_id == run_id and "its command was killed" in (killed.error or "")
    assert "visits.parquet" in (later.error or "") and (later.claimed_by or "").startswith("command@")


@pytest.mark.parametrize(
    ("told", "state"), [(KeyboardInterrupt, "failed"), (Stopped, "requested")], ids=["command", "trainer"]
)
def test_a_signal_in_the_moment_in_which_a_run_begins_ends_it_as_any_other(
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    told: type[BaseException],
    state: str,
) -> None:
    writing = database.writing

    @contextmanager
    def broken_into() -> Iterator[Connection]:
        with writing() as connection:
            yield connection
        monkeypatch.undo()
        raise told

    monkeypatch.setattr(database, "writing", broken_into)
    with pytest.raises(told):
        train(use_case_of(), home=tmp_path, data=tmp_path, database=database)
    with database.reading() as connection:
        (only,) = runs(connection, "visits")
    assert (only.state, only.attempts) == (state, 0)


def test_a_run_of_an_older_release_that_names_nobody_is_known_by_its_silence(database: Database) -> None:
    run_id = begun(database, None, 1_000)
    assert settled(database, run_id, 2_000)[0] is None
    _, found = settled(database, run_id, 2_000 + SILENCE_MS)
    assert found.state == "requested"


def test_a_run_says_how_far_it_is_and_breaks_off_in_other_hands(database: Database) -> None:
    run_id = begun(database, str(HERE), 1_000)
    with database.reading() as connection:
        going = run(connection, run_id)
    assert going is not None
    with Heartbeat(database, going, str(HERE), Silence()) as told:
        told.stage("fitting", 3)
        told.advance()
        wait_for(lambda: '"stage": "fitting", "done": 1, "total": 3' in progress(database, run_id), "a beat")
        with database.writing() as connection:
            requeue_run(connection, run_id, 2_000, "a test")
            assert start_run(connection, run_id, 3_000, claimed_by="trainer@another:1:1")
        with pytest.raises(RunNotOpen, match="given to another process"):
            wait_for(lambda: told.advance() is not None, "the loss to be noticed")


def test_the_log_of_a_run_holds_every_stage_and_what_an_earlier_attempt_came_to(database: Database) -> None:
    run_id = begun(database, str(HERE), 1_000)
    for stage in ("reading rows", "judging"):
        with database.reading() as connection:
            going = run(connection, run_id)
        assert going is not None
        with Heartbeat(database, going, str(HERE), Silence()) as told:
            told.stage(stage)
            told.stage("building", 5)
    lines = json.loads(progress(database, run_id))["log"]
    begins = f"begun by {HERE}"
    assert [text for _, text in lines] == [
        *(begins, "reading rows", "building (5 steps)"),
        *(begins, "judging", "building (5 steps)"),
    ]
    assert sorted(at_ms for at_ms, _ in lines) == [at_ms for at_ms, _ in lines]


def progress(database: Database, run_id: str) -> str:
    with database.reading() as connection:
        found = run(connection, run_id)
    return "" if found is None else found.progress_json or ""
