"""What leaves the log, and what stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from storage.database import Database
from storage.labelled import labelled_rows
from storage.predictions import find_prediction, predictions_of_entity, record_predictions
from storage.retention import Erasure, erase_entity, prune_unlabelled
from storage.versions import add_version
from tests.storage.rows import USE_CASE, log, prediction, tell, truth
from tests.storage.test_versions import FIRST


def _names(database: Database) -> list[str]:
    with database.reading() as connection:
        found = connection.exec_driver_sql("SELECT prediction_id FROM predictions ORDER BY prediction_id")
        return [name for (name,) in found]


def test_only_old_predictions_without_feedback_are_pruned(database: Database) -> None:
    log(database, "old", "old labelled", at_ms=1_000)
    log(database, "new", at_ms=5_000)
    with database.writing() as connection:
        record_predictions(connection, [prediction("other", use_case="other")], 10)
    tell(database, truth("old labelled"))
    with database.writing() as connection:
        assert prune_unlabelled(connection, USE_CASE, older_than_ms=5_000, limit=100) == 1
    assert _names(database) == ["new", "old labelled", "other"]


def test_pruning_goes_in_bounded_steps_oldest_first(database: Database) -> None:
    for number in range(7):
        log(database, f"row-{number}", at_ms=number)
    left = []
    for _ in range(4):
        with database.writing() as connection:
            left.append(prune_unlabelled(connection, USE_CASE, older_than_ms=6, limit=4))
        if len(left) == 1:
            assert _names(database) == ["row-4", "row-5", "row-6"]
    assert left == [4, 2, 0, 0]


def test_erasing_removes_one_person_and_names_what_may_have_learned(database: Database) -> None:
    rows = [
        prediction("a", entity_id="7"),
        prediction("b", entity_id="7"),
        prediction("c", entity_id="7", use_case="other"),
        prediction("d", entity_id="77"),
    ]
    with database.writing() as connection:
        record_predictions(connection, rows, 10)
        for at_ms, tag in ((1_500, "visits:before"), (2_500, "visits:after"), (9_000, "visits:later")):
            add_version(connection, replace(FIRST, tag=tag, created_at_ms=at_ms))
        add_version(connection, replace(FIRST, tag="other:later", use_case="other", created_at_ms=9_000))
    tell(database, truth("a", at_ms=3_000), truth("d", at_ms=1_000))
    tell(database, truth("a", "no", at_ms=4_000), truth("b", at_ms=2_000))
    with database.writing() as connection:
        erasure = erase_entity(connection, USE_CASE, "7")
    assert erasure == Erasure(predictions=2, feedback=3, bentos=("visits:after", "visits:later"))
    assert _names(database) == ["c", "d"]
    with database.reading() as connection:
        assert [row.prediction_id for row, *_ in labelled_rows(connection, USE_CASE)] == ["d"]
        assert predictions_of_entity(connection, USE_CASE, "7") == ()


def test_nothing_learned_from_a_person_who_was_never_labelled(database: Database) -> None:
    with database.writing() as connection:
        record_predictions(connection, [prediction("a", entity_id="7")], 10)
        add_version(connection, FIRST)
        assert erase_entity(connection, USE_CASE, "7") == Erasure(1, 0, ())
        assert erase_entity(connection, USE_CASE, "8") == Erasure(0, 0, ())


def test_an_erasure_crosses_no_multiple_twice(database: Database) -> None:
    with database.writing() as connection:
        record_predictions(connection, [prediction(name, entity_id=name) for name in "abc"], 10)
    assert tell(database, truth("a"), truth("b"), k=2).training_run is not None
    with database.writing() as connection:
        erase_entity(connection, USE_CASE, "a")
    receipt = tell(database, truth("c"), k=2)
    assert (receipt.production_rows, receipt.training_run) == (3, None)


def test_an_erased_row_is_overwritten_in_the_file(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    database.migrate()
    secret = prediction("a", entity_id="7")._replace(row_json='{"note": "unmistakable words"}')
    with database.writing() as connection:
        record_predictions(connection, [secret], 10)
    with database.writing() as connection:
        erase_entity(connection, USE_CASE, "7")
    with database.reading() as connection:
        assert find_prediction(connection, "a") is None
    database.close()  # the last connection folds the write-ahead log into the file
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    assert not path.with_name(path.name + "-wal").exists()
    assert b"unmistakable" not in path.read_bytes()
