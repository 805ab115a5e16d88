"""Heartbeats."""

from __future__ import annotations

import pytest

from loop.clock import now_ms
from storage.database import Database
from storage.processes import (
    SUPERVISOR,
    Process,
    alive,
    beat,
    farewell,
    follower_name,
    forget_silent,
    supervisors,
)
from tests.storage.rows import USE_CASE

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def say(database: Database, pid: int, at_ms: int, name: str = "trainer") -> None:
    with database.writing(durable=False) as connection:
        beat(connection, USE_CASE, name, pid=pid, host="here", started_at_ms=1, at_ms=at_ms)


@pytest.fixture
def on_file(sqlite_url: str) -> Database:
    """Where no server has a clock, so that the time that is given counts."""
    opened = Database.open(sqlite_url)
    opened.migrate()
    return opened


def test_a_process_is_there_as_long_as_it_says_so(on_file: Database) -> None:
    say(on_file, 7, 1_000)
    say(on_file, 7, 5_000)
    with on_file.reading() as connection:
        there = alive(connection, USE_CASE, "trainer", at_ms=20_000)
        assert there == Process(USE_CASE, "trainer", 7, "here", 1, 5_000)
        assert alive(connection, USE_CASE, "trainer", at_ms=20_001) is None
        assert alive(connection, USE_CASE, "trainer", at_ms=6_000, within_ms=500) is None
        assert alive(connection, USE_CASE, "supervisor", at_ms=5_000) is None
        assert alive(connection, "other", "trainer", at_ms=5_000) is None
    on_file.close()


def test_hosts_whose_clocks_are_apart_see_each_other(postgres_url: str) -> None:
    database = Database.open(postgres_url)
    database.migrate()
    say(database, 7, now_ms() - HOUR_MS)
    with database.reading() as connection:
        there = alive(connection, USE_CASE, "trainer", at_ms=now_ms() + HOUR_MS)
        assert there is not None and there.pid == 7
        assert alive(connection, USE_CASE, "trainer", at_ms=now_ms(), within_ms=-HOUR_MS) is None
    database.close()


def test_a_farewell_forgets_the_one_that_leaves_and_not_its_successor(database: Database) -> None:
    say(database, 7, 1_000)
    say(database, 8, 2_000)
    with database.writing() as connection:
        farewell(connection, USE_CASE, "trainer", 7)
        there = alive(connection, USE_CASE, "trainer", at_ms=2_000)
        assert there is not None and there.pid == 8
        farewell(connection, USE_CASE, "trainer", 8)
        assert alive(connection, USE_CASE, "trainer", at_ms=2_000) is None


def test_a_supervisor_that_follows_is_there_too_and_the_leading_one_comes_first(database: Database) -> None:
    say(database, 8, 1_000, follower_name("a1"))
    with database.reading() as connection:
        there = alive(connection, USE_CASE, "supervisor", at_ms=1_000)
        assert there is not None and there.pid == 8
    say(database, 7, 1_000, "supervisor")
    with database.reading() as connection:
        assert [one.pid for one in supervisors(connection, USE_CASE, at_ms=1_000)] == [7, 8]
        there = alive(connection, USE_CASE, "supervisor", at_ms=1_000)
        assert there is not None and there.pid == 7


def test_followers_that_ended_without_a_farewell_are_forgotten_after_a_day(on_file: Database) -> None:
    say(on_file, 7, 1_000, follower_name("old"))
    say(on_file, 8, DAY_MS, follower_name("new"))
    say(on_file, 9, 1_000, "trainer")
    with on_file.writing() as connection:
        forget_silent(connection, USE_CASE, SUPERVISOR, DAY_MS + 1_001)
        assert [one.pid for one in supervisors(connection, USE_CASE, at_ms=0)] == [8]
        assert alive(connection, USE_CASE, "trainer", at_ms=0) is not None
    on_file.close()
