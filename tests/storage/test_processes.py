"""Heartbeats."""

from __future__ import annotations

from storage.database import Database
from storage.processes import Process, alive, beat, farewell
from tests.storage.rows import USE_CASE


def say(database: Database, pid: int, at_ms: int, name: str = "trainer") -> None:
    with database.writing(durable=False) as connection:
        beat(connection, USE_CASE, name, pid=pid, host="here", started_at_ms=1, at_ms=at_ms)


def test_a_process_is_there_as_long_as_it_says_so(database: Database) -> None:
    say(database, 7, 1_000)
    say(database, 7, 5_000)
    with database.reading() as connection:
        there = alive(connection, USE_CASE, "trainer", at_ms=20_000)
        assert there == Process(USE_CASE, "trainer", 7, "here", 1, 5_000)
        assert alive(connection, USE_CASE, "trainer", at_ms=20_001) is None
        assert alive(connection, USE_CASE, "trainer", at_ms=6_000, within_ms=500) is None
        assert alive(connection, USE_CASE, "supervisor", at_ms=5_000) is None
        assert alive(connection, "other", "trainer", at_ms=5_000) is None


def test_a_farewell_forgets_the_one_that_leaves_and_not_its_successor(database: Database) -> None:
    say(database, 7, 1_000)
    say(database, 8, 2_000)
    with database.writing() as connection:
        farewell(connection, USE_CASE, "trainer", 7)
        there = alive(connection, USE_CASE, "trainer", at_ms=2_000)
        assert there is not None and there.pid == 8
        farewell(connection, USE_CASE, "trainer", 8)
        assert alive(connection, USE_CASE, "trainer", at_ms=2_000) is None
