"""Which of the waiting runs is done, when, and what a look at them leaves alone.

Their data is absent, so that each ends at once, failed: what is tried here is the queue.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from loop.clock import now_ms
from loop.refusals import UseCaseMistake
from storage.automation import pause, resume
from storage.database import Database
from storage.processes import alive, beat
from storage.promotions import fail_promotion, request_promotion, start_promotion
from storage.runs import fail_run, request_run, start_run
from tests.homes import wait_for
from tests.training.conftest import use_case_of
from tests.training.told import CHALLENGER, CHAMPION, all_runs, enter, opened, working
from training.unlisted import remove_half_written, remove_unlisted
from use_cases.use_case import UseCase

EAGER = use_case_of(policy={"cooldown_minutes": 0})


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = opened(tmp_path)
    yield made
    made.close()


def ask(database: Database, *triggers: str) -> list[str]:
    asked = []
    for trigger in triggers:
        with database.writing() as connection:
            asked.append(
                request_run(connection, "visits", trigger=trigger, reason="r", at_ms=now_ms()).run_id
            )
        wait_for(lambda: now_ms() > all_runs(database)[-1].requested_at_ms, "the next millisecond")
    return asked


def states(database: Database) -> list[str]:
    return [run.state for run in all_runs(database)]


def is_there(database: Database) -> bool:
    with database.reading() as connection:
        return alive(connection, "visits", "trainer", at_ms=now_ms()) is not None


def test_a_persons_run_goes_first_and_alone_then_the_newest_for_all_others(
    database: Database, tmp_path: Path
) -> None:
    first, newest, asked = ask(database, "feedback", "drift", "person")
    with working(database, tmp_path, lambda: EAGER):
        wait_for(lambda: not {"requested", "running"} & set(states(database)), "the queue to be done")
        wait_for(lambda: is_there(database), "the trainer to say that it is there")
    by_id = {run.run_id: run for run in all_runs(database)}
    assert by_id[first].state == "superseded" and by_id[first].error == f"superseded by {newest}"
    assert by_id[first].started_at_ms is None
    assert by_id[asked].state == by_id[newest].state == "failed", "there are no data"
    assert (by_id[asked].finished_at_ms or 0) <= (by_id[newest].started_at_ms or 0)
    assert "visits.parquet" in (by_id[newest].error or "")
    assert (by_id[newest].claimed_by or "").startswith("trainer@")
    assert not is_there(database), "it said farewell"


def test_a_pause_lets_automatic_requests_wait_and_a_persons_is_done(
    database: Database, tmp_path: Path
) -> None:
    with database.writing() as connection:
        pause(connection, "visits", actor="person", reason="r", at_ms=1)
    ask(database, "feedback", "person")
    with working(database, tmp_path, lambda: EAGER) as trainer:
        wait_for(lambda: "automation is paused" in trainer._said, "the trainer to decline")
        assert states(database) == ["requested", "failed"]
        with database.writing() as connection:
            resume(connection, "visits", actor="person", reason="r", at_ms=2)
        wait_for(lambda: states(database) == ["failed", "failed"], "the rest of the queue")


def test_the_cool_down_holds_for_another_trainer_too_and_not_for_a_person(
    database: Database, tmp_path: Path
) -> None:
    (ended,) = ask(database, "feedback")
    with database.writing() as connection:
        start_run(connection, ended, now_ms())
        fail_run(connection, ended, now_ms(), "a test")
    ask(database, "feedback")
    rests = use_case_of(policy={"cooldown_minutes": 5})
    for _ in range(2):
        with working(database, tmp_path, lambda: rests) as trainer:
            wait_for(lambda: "it rests for 300 s" in trainer._said, "the trainer to decline")
    ask(database, "person")
    with working(database, tmp_path, lambda: rests) as trainer:
        wait_for(lambda: states(database) == ["failed", "requested", "failed"], "the person's run")
        wait_for(lambda: "it rests for 300 s" in trainer._said, "the trainer to decline")
    with working(database, tmp_path, lambda: EAGER):
        wait_for(lambda: states(database) == ["failed"] * 3, "the end of the rest")


def test_no_run_starts_while_another_champion_is_on_its_way(database: Database, tmp_path: Path) -> None:
    enter(database, CHAMPION, "Production")
    enter(database, CHALLENGER, "None")
    with database.writing() as connection:
        beat(connection, "visits", "supervisor", pid=1, host="h", started_at_ms=1, at_ms=now_ms() + 60_000)
        asked = request_promotion(
            connection, "visits", CHALLENGER, kind="promotion", actor="judge", reason="r", at_ms=1
        )
    ask(database, "feedback")
    with working(database, tmp_path, lambda: EAGER) as trainer:
        wait_for(lambda: "a promotion is on its way" in trainer._said, "the trainer to decline")
        with database.writing() as connection:
            start_promotion(connection, asked.promotion_id, 2)
            fail_promotion(connection, asked.promotion_id, 3, "a test")
        wait_for(lambda: states(database) == ["failed"], "the run")


def test_a_use_case_that_cannot_be_read_is_waited_for(database: Database, tmp_path: Path) -> None:
    mended: list[UseCase] = []

    def read() -> UseCase:
        if not mended:
            raise UseCaseMistake("policy.cooldown_minutes: not a number")
        return mended[0]

    reading = iter([EAGER])
    ask(database, "person")
    with working(database, tmp_path, lambda: next(reading, None) or read()) as trainer:
        wait_for(lambda: "policy.cooldown_minutes" in trainer._said, "the trainer to say so")
        assert states(database) == ["requested"]
        mended.append(EAGER)
        wait_for(lambda: states(database) == ["failed"], "the run")


def test_what_killed_runs_left_in_the_store_goes_and_nothing_else(database: Database, tmp_path: Path) -> None:
    run_id, going = ask(database, "feedback", "feedback")
    with database.writing() as connection:
        start_run(connection, going, now_ms())
    enter(database, CHAMPION, "Production")
    ours, theirs = f"20240101-000000-{run_id[-8:]}", "20240101-000000-99999999"
    listed, current = CHAMPION.partition(":")[2], f"20240101-000000-{going[-8:]}"
    store = tmp_path / "bentoml"
    for version in (ours, theirs, listed, current, "by_hand"):
        (store / "models" / "visits" / version).mkdir(parents=True)
    (store / "models" / "visits_pipeline" / ours).mkdir(parents=True)
    draft = store / "tmp" / "bentoml_bento_visitsabcd_123"
    draft.mkdir(parents=True)

    assert remove_unlisted(database, "visits", tmp_path) == [f"visits:{ours}"]
    left = {path.name for path in (store / "models" / "visits").iterdir()}
    assert left == {theirs, listed, current, "by_hand"}
    assert not list((store / "models" / "visits_pipeline").iterdir())
    assert draft.exists(), "it may be the running one's"
    with database.writing() as connection:
        fail_run(connection, going, now_ms(), "a test")
    assert remove_unlisted(database, "visits", tmp_path) == [f"visits:{current}"]
    assert not draft.exists()


def test_snapshots_that_nobody_finished_are_removed_and_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "snapshots"
    assert remove_half_written(tmp_path, 10_000) == []
    folder.mkdir()
    for name, written in (("old.x.part", 1_000), ("new.x.part", 9_000), ("whole.parquet", 1_000)):
        (folder / name).touch()
        os.utime(folder / name, (written, written))
    assert remove_half_written(tmp_path, 10_000) == ["old.x.part"]
    assert sorted(path.name for path in folder.iterdir()) == ["new.x.part", "whole.parquet"]
