"""Code and databases of revision 0001 carry on."""

from __future__ import annotations

import threading

from storage.counters import last_known_at_ms, production_rows
from storage.database import Database
from storage.quarantine import quarantined, suspend_source
from storage.runs import run, start_run
from storage.versions import change_stage, version
from tests.storage import earlier
from tests.storage.rows import USE_CASE, labelled, log, settled, tell, truth


def test_a_database_of_the_first_revision_keeps_its_rows_and_their_history(url: str) -> None:
    database = Database.open(url)
    earlier.migrate_to_0001(database)
    with database.writing() as connection:
        for name in "abc":
            earlier.log(connection, name)
        earlier.tell(connection, "a", "yes", at_ms=2_000)
        earlier.tell(connection, "b", "yes", at_ms=3_000)
        earlier.tell(connection, "a", "no", at_ms=4_000)
        earlier.tell(connection, "later", "yes", at_ms=9_000)
        earlier.build(connection, "visits:old")
        earlier.request(connection, "old run")
    database.migrate()
    assert labelled(database) == [("b", "yes", 3_000), ("a", "no", 4_000)]
    assert labelled(database, as_of_ms=3_999) == [("a", "yes", 2_000), ("b", "yes", 3_000)]
    with database.writing() as connection:
        assert last_known_at_ms(connection, USE_CASE) == 4_000
        waited, built = run(connection, "old run"), version(connection, "visits:old")
        assert waited is not None and (waited.attempts, waited.claimed_by) == (0, None)
        assert built is not None and (built.recipe_json, built.files_removed_at_ms) == (None, None)
        assert start_run(connection, "old run", 5_000, claimed_by="trainer")
        change_stage(connection, "visits:old", "Production", actor="ana", reason="first", at_ms=5_000)
    assert tell(database, truth("c", at_ms=10_000)).production_rows == 3
    database.close()


def test_the_first_revisions_code_writes_to_the_tables_of_today(database: Database) -> None:
    with database.writing() as connection:
        earlier.tell(connection, "b", "yes", at_ms=2_000)
        for name in "ab":
            earlier.log(connection, name)
        assert earlier.tell(connection, "a", "yes", at_ms=3_000) == 2
        assert earlier.tell(connection, "a", "no", at_ms=4_000) == 2
        earlier.build(connection, "visits:old")
        earlier.request(connection, "old run")
        assert version(connection, "visits:old") is not None and run(connection, "old run") is not None
    assert labelled(database) == [("b", "yes", 2_000), ("a", "no", 4_000)]
    assert labelled(database, as_of_ms=3_000) == [("b", "yes", 2_000), ("a", "yes", 3_000)]
    log(database, "c")
    assert tell(database, truth("c", at_ms=5_000)).production_rows == 3


def test_what_the_first_revisions_code_adds_late_does_not_change_a_settled_instant(
    database: Database,
) -> None:
    log(database, "a", "b")
    tell(database, truth("a", at_ms=5_000))
    instant = settled(database)
    before = labelled(database, as_of_ms=instant)
    with database.writing() as connection:  # received before that instant, stored after it
        earlier.tell(connection, "b", "yes", at_ms=4_000)
        earlier.tell(connection, "a", "no", at_ms=4_500)
    assert labelled(database, as_of_ms=instant) == before
    again = settled(database)
    assert labelled(database, as_of_ms=instant) == before
    assert {(name, target) for name, target, _ in labelled(database, as_of_ms=again)} == {
        ("a", "no"),
        ("b", "yes"),
    }


def test_what_the_first_revisions_code_lets_in_from_a_suspended_source_is_set_aside_when_settled(
    database: Database,
) -> None:
    log(database, "a", "b")
    with database.writing() as connection:
        suspend_source(connection, USE_CASE, "clinic", reason="odd", at_ms=3_000, since_ms=3_000)
    with database.writing() as connection:
        earlier.tell(connection, "a", "yes", at_ms=4_000, source="clinic")
        earlier.tell(connection, "b", "yes", at_ms=4_000, source="elsewhere")
    instant = settled(database)
    assert labelled(database, as_of_ms=instant) == [("b", "yes", 4_000)]
    assert settled(database) > instant
    with database.reading() as connection:
        assert [row.prediction_id for row in quarantined(connection, USE_CASE)] == ["a"]
        assert production_rows(connection, USE_CASE) == 2


def test_an_instant_is_settled_while_the_first_revisions_code_corrects_its_own_rows(
    database: Database,
) -> None:
    with database.writing() as connection:
        earlier.log(connection, "a")
        earlier.tell(connection, "a", "yes", at_ms=2_000)
    instants: list[int] = []
    settling = threading.Thread(target=lambda: instants.append(settled(database)))
    with database.writing() as connection:
        earlier.store(connection, "a", "no", at_ms=3_000)
        settling.start()
        settling.join(0.3)
        assert settling.is_alive()
        earlier.count(connection, "a")
    settling.join(60)
    assert instants == [3_000] and labelled(database, as_of_ms=3_000) == [("a", "no", 3_000)]
