"""Predictions whose truth is not known yet, and the search for any."""

from __future__ import annotations

from sqlalchemy import text, update

from storage import schema
from storage.database import Database
from storage.open_predictions import next_open, open_predictions, search_predictions
from storage.quarantine import suspend_source
from tests.storage.rows import USE_CASE, log, tell, truth


def _confident(database: Database, **confidences: float) -> None:
    with database.writing() as connection:
        for name, confidence in confidences.items():
            table = schema.predictions
            connection.execute(
                update(table).where(table.c.prediction_id == name).values(confidence=confidence)
            )


def test_the_least_certain_comes_first_and_a_told_one_no_more(database: Database) -> None:
    log(database, "a", "b", "c", "d")
    _confident(database, a=0.9, b=0.5, c=0.5, d=0.7)
    tell(database, truth("d", at_ms=2_000))
    with database.reading() as connection:
        assert [one.prediction_id for one in open_predictions(connection, USE_CASE)] == ["b", "c", "a"]
        assert len(open_predictions(connection, USE_CASE, limit=2)) == 2
        assert open_predictions(connection, "another") == ()


def test_the_order_goes_on_after_one_that_was_left_out_or_told(database: Database) -> None:
    log(database, "a", "b", "c", "d")
    _confident(database, a=0.9, b=0.5, c=0.5, d=0.7)
    tell(database, truth("d", at_ms=2_000))
    with database.reading() as connection:
        walked = []
        after = None
        while (found := next_open(connection, USE_CASE, after)) is not None:
            walked.append(found.prediction_id)
            after = found.prediction_id
        assert walked == ["b", "c", "a"]
        following = next_open(connection, USE_CASE, "d")
        assert following is not None and following.prediction_id == "a" and following.row_json
        again = next_open(connection, USE_CASE, "never there")
        assert again is not None and again.prediction_id == "b"


def test_a_truth_in_quarantine_is_not_asked_for_again(database: Database) -> None:
    log(database, "a", "b")
    with database.writing() as connection:
        suspend_source(connection, USE_CASE, "odd", reason="odd", at_ms=1_500, since_ms=0)
    tell(database, truth("a", at_ms=2_000, source="odd"))
    with database.reading() as connection:
        assert [one.prediction_id for one in open_predictions(connection, USE_CASE)] == ["b"]


def test_answers_are_found_by_id_by_entity_and_by_time(database: Database) -> None:
    log(database, "a", "b", at_ms=1_000)
    log(database, "c", at_ms=5_000)
    with database.writing() as connection:
        connection.execute(update(schema.predictions).values(entity_id="person 7"))
    with database.reading() as connection:

        def found(**asked: object) -> list[str]:
            answers = search_predictions(connection, USE_CASE, **asked)  # type: ignore[arg-type]
            return [one.prediction_id for one in answers]

        assert found(text="b") == ["b"] and found(text="nothing") == []
        assert found(text="person 7") == ["c", "a", "b"]
        assert found(text="person 7", until_ms=5_000) == ["a", "b"]
        assert found(since_ms=5_000) == ["c"] and found(until_ms=1_000) == []
        assert found(limit=1) == ["c"]
        assert search_predictions(connection, "another", text="b") == ()


def test_open_predictions_are_found_by_index(database: Database) -> None:
    log(database, "a")
    with database.reading() as connection:
        if connection.dialect.name == "sqlite":  # PostgreSQL reads a table of one row as it is
            plan = connection.execute(
                text(
                    "EXPLAIN QUERY PLAN SELECT prediction_id FROM predictions WHERE use_case = 'x' "
                    "AND is_labelled = 0 ORDER BY predicted_at_ms DESC LIMIT 5"
                )
            ).all()
            assert "ix_predictions_unlabelled" in str(plan)
        assert len(open_predictions(connection, USE_CASE)) == 1
