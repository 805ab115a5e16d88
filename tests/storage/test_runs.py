"""Training runs from request to verdict."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from storage.database import Database
from storage.runs import (
    RunNotOpen,
    beat_run,
    fail_run,
    finish_run,
    latest_end_ms,
    request_run,
    requeue_run,
    run,
    running_run,
    runs,
    start_run,
    supersede_run,
    waiting_runs,
)
from tests.storage.rows import USE_CASE, released_together, writer


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
        beat_at_ms=2_000,
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


def _asked(database: Database, *at_ms: int, use_case: str = USE_CASE) -> list[str]:
    with database.writing() as connection:
        return [
            request_run(connection, use_case, trigger="feedback", reason="100 rows", at_ms=each).run_id
            for each in at_ms
        ]


def test_one_run_of_a_use_case_goes_at_a_time(database: Database) -> None:
    first, second = _asked(database, 1_000, 2_000)
    (other,) = _asked(database, 1_000, use_case="other")
    with database.writing() as connection:
        assert [each.run_id for each in waiting_runs(connection, USE_CASE)] == [first, second]
        assert start_run(connection, first, 5, claimed_by="one")
        assert not start_run(connection, second, 5, claimed_by="two")
        assert not start_run(connection, "no such run", 5)
        assert start_run(connection, other, 5)
        going = running_run(connection, USE_CASE)
        assert going is not None and (going.run_id, going.claimed_by) == (first, "one")
        assert [each.run_id for each in waiting_runs(connection, USE_CASE)] == [second]
        assert latest_end_ms(connection, USE_CASE) is None
        fail_run(connection, first, 9, "no rows")
        assert latest_end_ms(connection, USE_CASE) == 9
        assert running_run(connection, USE_CASE) is None
        assert start_run(connection, second, 10)


@pytest.mark.slow
def test_two_trainers_at_once_start_one_run(url: str, database: Database) -> None:
    with database.writing() as connection:
        for number in range(30):
            for name in ("one", "two"):
                made = request_run(connection, f"case {number}", trigger="person", reason="now", at_ms=1)
                connection.exec_driver_sql(
                    f"UPDATE runs SET run_id = '{name}-{number}' WHERE run_id = '{made.run_id}'"
                )
    won = released_together(*(writer("claim", url, name, "30") for name in ("one", "two")))
    assert sorted(int(number) for output in won for number in output.split()) == list(range(30))


def test_a_run_says_that_it_goes_on_and_how_far_it_is(database: Database) -> None:
    (asked,) = _asked(database, 1_000)
    with database.writing() as connection:
        assert not beat_run(connection, asked, 2)
        start_run(connection, asked, 3, claimed_by="one", instant_ms=1_500)
        assert beat_run(connection, asked, 4, '{"stage": "fitting"}')
        assert beat_run(connection, asked, 5, claimed_by="one")
        assert not beat_run(connection, asked, 6, claimed_by="two")
        going = run(connection, asked)
    assert going is not None and going.progress_json == '{"stage": "fitting"}'
    assert (going.beat_at_ms, going.instant_ms, going.claimed_by) == (5, 1_500, "one")


def test_a_run_whose_trainer_was_asked_to_stop_has_not_been_tried(database: Database) -> None:
    (asked,) = _asked(database, 1_000)
    with database.writing() as connection:
        start_run(connection, asked, 3, claimed_by="one")
        requeue_run(connection, asked, 4, "its trainer was stopped", counts=False)
        again = run(connection, asked)
    assert again is not None and (again.state, again.attempts) == ("requested", 0)


def test_a_run_whose_trainer_is_gone_waits_again(database: Database) -> None:
    (asked,) = _asked(database, 1_000)
    with database.writing() as connection:
        with pytest.raises(RunNotOpen, match="is not running"):
            requeue_run(connection, asked, 2, "its trainer was killed")
        start_run(connection, asked, 3, claimed_by="one")
        requeue_run(connection, asked, 4, "its trainer was killed")
        again = run(connection, asked)
        assert again is not None and (again.state, again.attempts, again.claimed_by) == ("requested", 1, None)
        assert again.reason == "100 rows; again, because its trainer was killed"
        assert start_run(connection, asked, 5, claimed_by="two")
        # Whoever had it before comes to its end after all.
        with pytest.raises(RunNotOpen):
            finish_run(connection, asked, 6, claimed_by="one", bento="visits:1")
        with pytest.raises(RunNotOpen):
            fail_run(connection, asked, 6, "late", claimed_by="one")
        finish_run(connection, asked, 7, claimed_by="two", bento="visits:2")


def test_a_superseded_run_never_starts(database: Database) -> None:
    old, new = _asked(database, 1_000, 2_000)
    with database.writing() as connection:
        supersede_run(connection, old, 3, new)
        gone = run(connection, old)
        assert gone is not None and (gone.state, gone.finished_at_ms) == ("superseded", 3)
        assert gone.error == f"superseded by {new}"
        assert not start_run(connection, old, 4)
        assert latest_end_ms(connection, USE_CASE) is None
        with pytest.raises(RunNotOpen, match="does not wait"):
            supersede_run(connection, old, 5, new)


def test_a_trainer_waits_for_a_claim_that_is_not_committed_yet(database: Database) -> None:
    first, second = _asked(database, 1_000, 2_000)
    claims: list[bool] = []

    def claim() -> None:
        with database.writing() as connection:
            claims.append(start_run(connection, second, 5))

    claiming = threading.Thread(target=claim)
    with database.writing() as connection:
        assert start_run(connection, first, 4)
        claiming.start()
        # Time enough to see that nothing runs, were it not waiting.
        claiming.join(0.3)
        assert claiming.is_alive()
    claiming.join(60)
    assert claims == [False]
