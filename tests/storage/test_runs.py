"""Training runs from request to verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from storage.database import Database
from storage.runs import RunNotOpen, fail_run, finish_run, request_run, run, runs, start_run
from tests.storage.rows import USE_CASE


def test_a_run_keeps_all_it_is_told(database: Database) -> None:
    with database.writing() as connection:
        asked = request_run(
            connection, USE_CASE, trigger="person", reason="monthly", at_ms=1_000, as_of="2024-01-31"
        )
        assert run(connection, asked.run_id) == asked
        assert start_run(connection, asked.run_id, 2_000, parameters_json="{}", code_revision="abc")
        finish_run(
            connection,
            asked.run_id,
            3_000,
            scores_json='{"accuracy": 0.75}',
            rows_json='{"training": 80}',
            data_digest="blake2b:00",
            libraries_json='{"numpy": "2"}',
            seconds=1.5,
            peak_memory_bytes=5_000_000_000,
            verdict_json='{"verdict": "keep"}',
            bento="visits:1",
        )
    expected = replace(
        asked,
        state="built",
        started_at_ms=2_000,
        finished_at_ms=3_000,
        parameters_json="{}",
        code_revision="abc",
        scores_json='{"accuracy": 0.75}',
        rows_json='{"training": 80}',
        data_digest="blake2b:00",
        libraries_json='{"numpy": "2"}',
        seconds=1.5,
        peak_memory_bytes=5_000_000_000,
        verdict_json='{"verdict": "keep"}',
        bento="visits:1",
    )
    with database.reading() as connection:
        assert run(connection, asked.run_id) == expected
        assert run(connection, "no such run") is None


def test_a_request_is_claimed_once(database: Database) -> None:
    with database.writing() as connection:
        asked = request_run(connection, USE_CASE, trigger="person", reason="now", at_ms=1)
    claims = []
    for _ in range(2):
        with database.writing() as connection:
            claims.append(start_run(connection, asked.run_id, 2))
    assert claims == [True, False]


def test_a_failed_run_says_why_and_cannot_end_again(database: Database) -> None:
    with database.writing() as connection:
        asked = request_run(connection, USE_CASE, trigger="first", reason="nothing served", at_ms=1)
        start_run(connection, asked.run_id, 2)
        fail_run(connection, asked.run_id, 3, "one class only", seconds=0.5)
        failed = run(connection, asked.run_id)
        assert failed is not None
        assert (failed.state, failed.error, failed.seconds) == ("failed", "one class only", 0.5)
        with pytest.raises(RunNotOpen, match=asked.run_id):
            finish_run(connection, asked.run_id, 4, bento="visits:1")
        with pytest.raises(RunNotOpen, match=asked.run_id):
            fail_run(connection, asked.run_id, 4, "again")
        assert run(connection, asked.run_id) == failed


def test_a_run_that_never_started_cannot_be_built(database: Database) -> None:
    with database.writing() as connection:
        asked = request_run(connection, USE_CASE, trigger="person", reason="now", at_ms=1)
        with pytest.raises(RunNotOpen, match="not running"):
            finish_run(connection, asked.run_id, 4, bento="visits:1")


def test_runs_are_listed_newest_first_and_by_state(database: Database) -> None:
    with database.writing() as connection:
        ids = [
            request_run(connection, USE_CASE, trigger="person", reason="now", at_ms=at_ms).run_id
            for at_ms in (1_000, 3_000, 2_000)
        ]
        request_run(connection, "other", trigger="person", reason="now", at_ms=9_000)
        start_run(connection, ids[2], 4_000)
    with database.reading() as connection:
        assert [each.run_id for each in runs(connection, USE_CASE)] == [ids[1], ids[2], ids[0]]
        assert [each.run_id for each in runs(connection, USE_CASE, limit=1)] == [ids[1]]
        assert [each.run_id for each in runs(connection, USE_CASE, state="running")] == [ids[2]]
