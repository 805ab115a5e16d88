"""A trainer that stands alone asks for the first version: once, again after a while, never beside another."""

from __future__ import annotations

import doctest
from concurrent.futures import ThreadPoolExecutor

from storage.database import Database
from storage.runs import fail_run, request_run, start_run
from tests.storage.conftest import database as database
from tests.storage.conftest import postgres_url as postgres_url
from tests.storage.conftest import sqlite_url as sqlite_url
from tests.storage.conftest import url as url
from tests.training.told import CHAMPION, all_runs, enter
from training import first
from training.first import ask_for_first

MINUTE_MS = 60_000


def fail(database: Database, run_id: str, at_ms: int) -> None:
    with database.writing() as connection:
        start_run(connection, run_id, at_ms)
        fail_run(connection, run_id, at_ms, "its rows are not there")


def test_of_several_trainers_one_asks(database: Database) -> None:
    with ThreadPoolExecutor(8) as trainers:
        asked = list(trainers.map(lambda _: ask_for_first(database, "visits", 1_000), range(16)))
    assert len([run for run in asked if run is not None]) == 1
    assert [(run.trigger, run.state) for run in all_runs(database)] == [("first", "requested")]


def test_none_is_asked_for_beside_another_run_or_a_version_in_production(database: Database) -> None:
    with database.writing() as connection:
        theirs = request_run(connection, "visits", trigger="person", reason="r", at_ms=1)
    assert ask_for_first(database, "visits", 2) is None
    with database.writing() as connection:
        start_run(connection, theirs.run_id, 3)
    assert ask_for_first(database, "visits", 4) is None
    with database.writing() as connection:
        fail_run(connection, theirs.run_id, 5, "r")
    enter(database, CHAMPION, "Production")
    assert ask_for_first(database, "visits", 6) is None


def test_after_a_failure_it_is_asked_for_again_ever_more_seldom(database: Database) -> None:
    at_ms = 0
    for minutes in (1, 2, 4):
        first = ask_for_first(database, "visits", at_ms)
        assert first is not None
        fail(database, first.run_id, at_ms)
        assert ask_for_first(database, "visits", at_ms + minutes * MINUTE_MS - 1) is None
        at_ms += minutes * MINUTE_MS
    assert ask_for_first(database, "visits", at_ms) is not None


def test_a_request_that_another_way_made_needless_ends(database: Database) -> None:
    assert ask_for_first(database, "visits", 1) is not None
    enter(database, CHAMPION, "Production")  # a person's `rebento train`, meanwhile
    assert ask_for_first(database, "visits", 2) is None
    (ended,) = all_runs(database)
    assert (ended.state, ended.error) == ("superseded", "superseded by the version in Production")


def test_another_use_case_is_no_matter(database: Database) -> None:
    enter(database, CHAMPION, "Production")
    assert ask_for_first(database, "other", 1) is not None


def test_its_examples_are_true() -> None:
    found = doctest.testmod(first)
    assert (found.failed, found.attempted) == (0, 1)
