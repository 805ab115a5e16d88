"""The log of answers."""

from __future__ import annotations

from sqlalchemy import text

from storage.database import Database
from storage.labelled import labelled_rows
from storage.predictions import find_prediction, predictions_of_entity, record_predictions
from tests.storage.rows import USE_CASE, log, prediction, tell, truth


def test_a_prediction_comes_back_as_it_was_stored(database: Database) -> None:
    stored = prediction("a", entity_id="person 7")
    with database.writing(durable=False) as connection:
        assert record_predictions(connection, [stored], 10) == 1
    with database.reading() as connection:
        assert find_prediction(connection, "a") == stored
        assert find_prediction(connection, "b") is None


def test_an_id_that_is_stored_already_is_left_as_it_is(database: Database) -> None:
    log(database, "a", at_ms=1_000)
    assert log(database, "a", "b", at_ms=9_000) == 1
    with database.reading() as connection:
        kept = find_prediction(connection, "a")
    assert kept is not None and kept.predicted_at_ms == 1_000


def test_a_relogged_row_stays_labelled_and_counts_once(database: Database) -> None:
    log(database, "a")
    tell(database, truth("a"))
    log(database, "a")
    assert tell(database, truth("a", "no", at_ms=3_000)).production_rows == 1


def test_predictions_of_one_entity_are_its_own_and_in_order(database: Database) -> None:
    rows = [
        prediction("c", at_ms=3_000, entity_id="7"),
        prediction("a", at_ms=2_000, entity_id="7"),
        prediction("b", at_ms=1_000, entity_id="77"),
        prediction("d", at_ms=1_000, entity_id="7", use_case="other"),
        prediction("e", at_ms=1_000),
    ]
    with database.writing() as connection:
        assert record_predictions(connection, rows, 10) == 5
    with database.reading() as connection:
        of_seven = predictions_of_entity(connection, USE_CASE, "7")
        assert [row.prediction_id for row in of_seven] == ["a", "c"]
        assert predictions_of_entity(connection, USE_CASE, "nobody") == ()


def test_an_interrupted_reading_leaves_the_database_usable(database: Database) -> None:
    names = [f"row-{number}" for number in range(20)]
    log(database, *names)
    tell(database, *(truth(name) for name in names))
    with database.reading() as connection:
        rows = labelled_rows(connection, USE_CASE, batch=3)
        assert next(rows)[0].prediction_id == "row-0"
        rows.close()
    with database.reading() as connection:
        assert len(list(labelled_rows(connection, USE_CASE, batch=3))) == 20


def test_look_ups_of_the_hot_path_use_an_index(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    database.migrate()
    plans = {
        "SELECT 1 FROM feedback WHERE use_case = 'a' AND state = 'pending' LIMIT 1": "ix_feedback_state",
        "SELECT 1 FROM feedback WHERE use_case = 'a' AND key IN ('b', 'c')": "uq_feedback_key",
        "SELECT prediction_id FROM predictions WHERE use_case = 'a' AND predicted_at_ms < 5 "
        "AND is_labelled = 0 ORDER BY predicted_at_ms LIMIT 9": "ix_predictions_unlabelled",
        "SELECT 1 FROM predictions WHERE use_case = 'a' AND entity_id = 'b'": "ix_predictions_entity",
    }
    with database.reading() as connection:
        for statement, index in plans.items():
            plan = str(connection.execute(text(f"EXPLAIN QUERY PLAN {statement}")).all())
            assert "SEARCH" in plan and index in plan, plan
    database.close()
