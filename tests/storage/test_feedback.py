"""Feedback: joined, pending, superseded, repeated; the counter and the runs it asks for."""

from __future__ import annotations

import pytest

from storage.counters import production_rows
from storage.database import Database
from storage.feedback import record_feedback
from storage.labelled import LabelledRow, labelled_rows
from storage.predictions import Prediction, find_prediction, record_predictions
from storage.runs import runs, waiting_runs
from tests.storage.rows import USE_CASE, labelled, log, prediction, tell, truth


def _requests(database: Database) -> list[str]:
    with database.reading() as connection:
        return [run.reason for run in reversed(runs(connection, USE_CASE, state="requested"))]


def test_feedback_joins_its_stored_prediction(database: Database) -> None:
    log(database, "a", "b")
    receipt = tell(database, truth("a", "no"))
    assert (receipt.accepted, receipt.pending, receipt.production_rows) == (1, 0, 1)
    assert receipt.training_run is None
    assert labelled(database) == [("a", "no", 2_000)]


def test_a_labelled_row_comes_back_whole(database: Database) -> None:
    stored = prediction("a", entity_id="person 7")
    with database.writing() as connection:
        record_predictions(connection, [stored], 10)
    tell(database, truth("a", "no"))
    with database.reading() as connection:
        assert list(labelled_rows(connection, USE_CASE)) == [LabelledRow(stored, "no", "clinic", 2_000, 1)]


def test_feedback_that_comes_first_waits_and_then_counts(database: Database) -> None:
    log(database, "other")
    receipt = tell(database, truth("a"), truth("b"), truth("other"), k=3)
    assert (receipt.accepted, receipt.pending, receipt.production_rows) == (3, 2, 1)
    assert [name for name, _, _ in labelled(database)] == ["other"]
    log(database, "b", k=3)
    assert _requests(database) == []
    log(database, "a", "c", k=3)
    assert {name for name, _, _ in labelled(database)} == {"other", "a", "b"}
    assert _requests(database) == ["3 labelled production rows, a multiple of 3"]


def test_only_the_use_case_of_a_waiting_feedback_is_joined(database: Database) -> None:
    tell(database, truth("a"))
    with database.writing() as connection:
        record_predictions(connection, [prediction("a", use_case="other")], 1)
        assert production_rows(connection, "other") == production_rows(connection, USE_CASE) == 0


def test_the_later_feedback_wins_and_both_are_kept(database: Database) -> None:
    log(database, "a")
    tell(database, truth("a", "yes", at_ms=2_000), k=1)
    receipt = tell(database, truth("a", "no", at_ms=3_000), k=1)
    assert receipt.production_rows == 1 and receipt.training_run is None
    assert labelled(database) == [("a", "no", 3_000)]
    with database.reading() as connection:
        kept = connection.exec_driver_sql(
            "SELECT target, superseded_at_ms FROM feedback ORDER BY feedback_id"
        )
        assert [tuple(row) for row in kept] == [("yes", 3_000), ("no", None)]


def test_within_one_batch_the_last_feedback_wins(database: Database) -> None:
    log(database, "a")
    told = [truth("a", "yes"), truth("a", "no"), truth("a", "maybe", at_ms=2_001)]
    assert tell(database, *told).production_rows == 1
    assert labelled(database) == [("a", "maybe", 2_001)]
    # What is stored at once is known at once.
    assert labelled(database, as_of_ms=2_000) == []
    twice = truth("a", "yes", at_ms=2_002)
    assert tell(database, twice, twice).production_rows == 1
    assert labelled(database) == [("a", "yes", 2_002)]


def test_a_waiting_feedback_is_superseded_too(database: Database) -> None:
    tell(database, truth("a", "yes", at_ms=2_000))
    tell(database, truth("a", "no", at_ms=2_500))
    log(database, "a", k=1)
    assert labelled(database) == [("a", "no", 2_500)]
    assert len(_requests(database)) == 1


def test_reading_as_of_an_instant_shows_what_was_known_then(database: Database) -> None:
    log(database, "a", "b", "c")
    tell(database, truth("b", "yes", at_ms=2_000), truth("a", "yes", at_ms=2_000))
    tell(database, truth("c", "no", at_ms=3_000))
    tell(database, truth("b", "no", at_ms=4_000))
    assert labelled(database, as_of_ms=1_999) == []
    assert labelled(database, as_of_ms=2_000) == [("b", "yes", 2_000), ("a", "yes", 2_000)]
    assert labelled(database, as_of_ms=3_999) == [
        ("b", "yes", 2_000),
        ("a", "yes", 2_000),
        ("c", "no", 3_000),
    ]
    assert labelled(database, as_of_ms=4_000) == [
        ("a", "yes", 2_000),
        ("c", "no", 3_000),
        ("b", "no", 4_000),
    ]
    assert labelled(database) == labelled(database, as_of_ms=4_000)


def test_a_repeated_key_is_accepted_and_stores_nothing(database: Database) -> None:
    first = truth("a", key="visit 1", whole=prediction("a"))
    again = truth("b", "no", key="visit 1", whole=prediction("b"))
    assert tell(database, first).accepted == 1
    receipt = tell(database, again, truth("c", key="visit 2", whole=prediction("c")))
    assert (receipt.accepted, receipt.pending, receipt.production_rows) == (2, 0, 2)
    assert [(name, target) for name, target, _ in labelled(database)] == [("a", "yes"), ("c", "yes")]
    with database.reading() as connection:
        assert find_prediction(connection, "b") is None


def test_a_key_repeated_within_one_batch_stores_once(database: Database) -> None:
    twice = [truth(name, key="visit", whole=prediction(name)) for name in ("a", "b")]
    receipt = tell(database, *twice)
    assert (receipt.accepted, receipt.production_rows) == (2, 1)


def test_a_whole_row_is_stored_with_its_answer(database: Database) -> None:
    receipt = tell(database, truth("a", "no", whole=prediction("a")))
    assert (receipt.accepted, receipt.pending, receipt.production_rows) == (1, 0, 1)
    with database.reading() as connection:
        assert isinstance(find_prediction(connection, "a"), Prediction)


def test_a_batch_over_several_multiples_asks_for_one_run_each(database: Database) -> None:
    names = [f"row-{number}" for number in range(25)]
    log(database, *names)
    assert tell(database, *(truth(name) for name in names[:9]), k=10).training_run is None
    receipt = tell(database, *(truth(name) for name in names[9:]), k=10)
    assert receipt.production_rows == 25 and receipt.training_run is not None
    with database.reading() as connection:
        waiting = waiting_runs(connection, USE_CASE)
    assert [run.reason for run in waiting] == [
        "10 labelled production rows, a multiple of 10",
        "20 labelled production rows, a multiple of 10",
    ]
    assert waiting[-1].run_id == receipt.training_run, "the one that is told of is the one that is done"


def test_more_ids_than_one_in_list_holds_are_all_joined(database: Database) -> None:
    names = [f"row-{number}" for number in range(1_203)]
    assert log(database, *names[:1_100]) == 1_100
    receipt = tell(database, *(truth(name) for name in names), k=500)
    assert (receipt.pending, receipt.production_rows) == (103, 1_100)
    log(database, *names, k=500)
    assert len(labelled(database)) == 1_203


def test_nothing_of_a_failed_transaction_is_stored(database: Database) -> None:
    with pytest.raises(RuntimeError, match="after"), database.writing() as connection:
        record_predictions(connection, [prediction("a")], 1)
        record_feedback(connection, USE_CASE, [truth("a")], 1)
        raise RuntimeError("after")
    with database.reading() as connection:
        assert find_prediction(connection, "a") is None
        assert production_rows(connection, USE_CASE) == 0
        assert runs(connection, USE_CASE) == ()


def test_an_empty_batch_stores_nothing(database: Database) -> None:
    receipt = tell(database)
    assert (receipt.accepted, receipt.pending, receipt.production_rows) == (0, 0, 0)
    assert log(database) == 0


def test_a_k_below_one_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        tell(database, truth("a"), k=0)
