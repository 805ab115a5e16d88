"""Processes that say they are there: one of each role on every host, and each is asked after alone."""

from __future__ import annotations

from loop.claims import Claim
from loop.clock import now_ms
from storage.database import Database
from storage.presence import Presence
from storage.processes import Process, alive, beat, here
from tests.homes import wait_for


def there(database: Database, host: str, *, use_case: str = "", later_ms: int = 0) -> Process | None:
    with database.reading() as connection:
        return here(connection, "trainer", host, at_ms=now_ms() + later_ms, use_case=use_case)


def test_trainers_on_two_hosts_do_not_hide_one_another(database: Database) -> None:
    one, two = Claim("trainer", "one", 7, 1), Claim("trainer", "two", 7, 1)  # the same id in each container
    with Presence(database, "visits", one):
        with Presence(database, "visits", two):
            wait_for(lambda: there(database, "one") is not None, "the one")
            wait_for(lambda: there(database, "two") is not None, "the other")
        assert there(database, "two") is None, "it said farewell"
        assert there(database, "one") is not None
        assert there(database, "one", use_case="visits") is not None
        assert there(database, "one", use_case="churn") is None
        assert there(database, "three") is None
        with database.reading() as connection:
            assert alive(connection, "visits", "trainer", at_ms=now_ms()) is not None
            assert here(connection, "reporter", "one", at_ms=now_ms()) is None
    assert there(database, "one") is None


def test_containers_that_are_gone_for_days_are_forgotten(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    database.migrate()
    with database.writing() as connection:
        for name, at_ms in (("trainer old", 1), ("trainer new", now_ms()), ("reporter old", 1)):
            host = name.partition(" ")[2]
            beat(connection, "visits", name, pid=1, host=host, started_at_ms=1, at_ms=at_ms)
    with Presence(database, "visits", Claim("trainer", "here", 1, 1)):
        pass
    with database.reading() as connection:
        left = [row[0] for row in connection.exec_driver_sql("SELECT name FROM processes ORDER BY name")]
    database.close()
    assert left == ["reporter old", "trainer new"]
