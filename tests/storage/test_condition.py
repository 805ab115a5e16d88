"""How a database is, on both kinds."""

from __future__ import annotations

from loop.clock import now_ms
from storage.condition import damage, newest_ms, revision, server_ms
from storage.database import Database
from storage.runs import request_run
from storage.schema import REVISIONS


def test_a_fresh_database_is_whole_and_its_clock_is_ours(database: Database) -> None:
    with database.reading() as connection:
        assert revision(connection) == REVISIONS[-1]
        assert damage(connection) is None
        there = server_ms(connection)
        is_server = connection.dialect.name == "postgresql"
    assert (there is not None) == is_server
    assert there is None or abs(there - now_ms()) < 60_000


def test_the_newest_instant_is_that_of_the_use_case(database: Database) -> None:
    with database.writing() as connection:
        assert newest_ms(connection, "visits") == 0
        request_run(connection, "visits", trigger="person", reason="", at_ms=5_000)
        request_run(connection, "others", trigger="person", reason="", at_ms=9_000)
        assert newest_ms(connection, "visits") == 5_000
