"""What the pages show at a glance."""

from __future__ import annotations

from storage.database import Database
from storage.overview import (
    in_quarantine,
    last_move_to_production,
    predictions_since,
    realised,
    told_of,
)
from storage.quarantine import suspend_source
from storage.versions import Version, add_version, change_stage
from tests.storage.rows import USE_CASE, log, tell, truth


def test_realised_answers_are_the_last_ones_oldest_first(database: Database) -> None:
    log(database, "a", "b", "c", "d")
    tell(database, truth("a", "yes", at_ms=2_000))
    tell(database, truth("b", "no", at_ms=3_000))
    tell(database, truth("c", "yes", at_ms=4_000))
    with database.reading() as connection:
        found = realised(connection, USE_CASE, 2)
        assert [(one.is_right, one.bento) for one in found] == [
            (False, f"{USE_CASE}:1"),
            (True, f"{USE_CASE}:1"),
        ]
        assert found[0].known_at_ms <= found[1].known_at_ms
        assert len(realised(connection, USE_CASE, 10)) == 3
        assert realised(connection, "another", 10) == ()


def test_a_correction_takes_the_place_of_what_it_corrects(database: Database) -> None:
    log(database, "a")
    tell(database, truth("a", "yes", at_ms=2_000))
    tell(database, truth("a", "no", at_ms=3_000))
    with database.reading() as connection:
        assert [one.is_right for one in realised(connection, USE_CASE, 10)] == [False]
        told = told_of(connection, "a")
        assert told is not None and (told.target, told.received_at_ms, told.state) == ("no", 3_000, "joined")
        assert told_of(connection, "b") is None


def test_what_is_in_quarantine_is_counted_and_not_shown_as_quality(database: Database) -> None:
    log(database, "a", "b")
    tell(database, truth("a", at_ms=2_000, source="odd"), truth("b", at_ms=2_000, source="clinic"))
    with database.writing() as connection:
        suspend_source(connection, USE_CASE, "odd", reason="odd", at_ms=3_000, since_ms=0)
    with database.reading() as connection:
        assert in_quarantine(connection, USE_CASE) == 1
        assert len(realised(connection, USE_CASE, 10)) == 1


def test_predictions_are_counted_since_an_instant(database: Database) -> None:
    log(database, "a", "b", at_ms=1_000)
    log(database, "c", at_ms=5_000)
    with database.reading() as connection:
        assert predictions_since(connection, USE_CASE, 0) == 3
        assert predictions_since(connection, USE_CASE, 5_000) == 1
        assert predictions_since(connection, "another", 0) == 0


def test_the_last_move_to_production_is_the_champions(database: Database) -> None:
    with database.writing() as connection:
        assert last_move_to_production(connection, USE_CASE) is None
        for place, tag in enumerate(("visits:1", "visits:2")):
            version = Version(tag, USE_CASE, tag, "None", place, None, None, "digest", "sgd", "{}", None)
            add_version(connection, version)
            change_stage(connection, tag, "Production", actor="person", reason=f"{place}", at_ms=place)
        found = last_move_to_production(connection, USE_CASE)
        assert found is not None and (found.tag, found.reason) == ("visits:2", "1")
