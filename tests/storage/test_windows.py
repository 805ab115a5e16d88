"""Stretches of answers with the truths that count."""

from __future__ import annotations

import pytest

from storage.database import Database
from storage.predictions import record_predictions
from storage.quarantine import suspend_source
from storage.windows import (
    AnsweredRow,
    Span,
    answered_rows,
    answers_since,
    first_answer_ms,
    rows_of_span,
    span_between,
    span_of_newest,
)
from tests.storage.rows import USE_CASE, log, prediction, tell, truth


def newest(database: Database, rows: int) -> Span:
    with database.reading() as connection:
        span = span_of_newest(connection, USE_CASE, rows)
    assert span is not None
    return span


def read(database: Database, span: Span, page: int = 2) -> list[AnsweredRow]:
    return [row for found in answered_rows(database, span, page=page) for row in found]


def targets(database: Database, span: Span) -> dict[str, str | None]:
    return {row.prediction_id: row.target for row in read(database, span)}


def test_the_newest_rows_are_exactly_so_many_also_where_many_came_at_one_instant(database: Database) -> None:
    log(database, *"cab", at_ms=1_000)
    log(database, *"gfed", at_ms=2_000)
    log(database, "h", at_ms=3_000)
    for rows, found in (
        (1, "h"),
        (3, "fgh"),
        (5, "defgh"),
        (6, "cdefgh"),
        (8, "abcdefgh"),
        (100, "abcdefgh"),
    ):
        span = newest(database, rows)
        assert [row.prediction_id for row in read(database, span)] == list(found)
        with database.reading() as connection:
            assert rows_of_span(connection, span) == len(found)


@pytest.mark.parametrize("page", [1, 2, 3, 5, 100])
def test_every_row_comes_once_and_in_order_whatever_the_page(database: Database, page: int) -> None:
    log(database, *"cab", at_ms=1_000)
    log(database, *"ed", at_ms=2_000)
    span = span_between(USE_CASE, 1_000, 2_001)
    assert "".join(row.prediction_id for row in read(database, span, page)) == "abcde"
    assert all(len(found) <= page for found in answered_rows(database, span, page=page))


def test_a_span_ends_before_its_last_instant_and_knows_one_use_case(database: Database) -> None:
    log(database, "a", at_ms=1_000)
    log(database, "b", at_ms=2_000)
    with database.writing() as connection:
        record_predictions(connection, [prediction("x", at_ms=1_500, use_case="other")], 100)
    assert list(targets(database, span_between(USE_CASE, 1_000, 2_000))) == ["a"]
    assert list(targets(database, span_between(USE_CASE, 1_001, 9_000))) == ["b"]
    assert targets(database, span_between(USE_CASE, 2_001, 9_000)) == {}


def test_the_newest_truth_that_takes_part_counts(database: Database) -> None:
    log(database, *"abcd")
    tell(database, truth("a", "yes", at_ms=2_000), truth("b", "yes", at_ms=2_000))
    tell(database, truth("a", "no", at_ms=3_000), truth("c", "no", at_ms=3_000, source="odd"))
    tell(database, truth("b", "no", at_ms=4_000, source="odd"))
    assert targets(database, newest(database, 10)) == {"a": "no", "b": "no", "c": "no", "d": None}
    with database.writing() as connection:
        suspend_source(connection, USE_CASE, "odd", reason="odd", at_ms=5_000, since_ms=0)
    assert targets(database, newest(database, 10)) == {"a": "no", "b": "yes", "c": None, "d": None}


def test_a_row_that_came_with_a_truth_in_quarantine_is_left_out(database: Database) -> None:
    log(database, "a")
    whole = prediction("w")._replace(origin="feedback")
    tell(database, truth("w", whole=whole, source="odd"), truth("a", source="odd"))
    assert targets(database, newest(database, 10)) == {"a": "yes", "w": "yes"}
    with database.writing() as connection:
        suspend_source(connection, USE_CASE, "odd", reason="odd", at_ms=5_000, since_ms=0)
    assert targets(database, newest(database, 10)) == {"a": None}


def test_what_was_never_answered_has_no_span(database: Database) -> None:
    with database.reading() as connection:
        assert span_of_newest(connection, USE_CASE, 10) is None
        assert first_answer_ms(connection, USE_CASE) is None
    log(database, *"abc", at_ms=1_000)
    log(database, *"de", at_ms=2_000)
    with database.reading() as connection:
        assert first_answer_ms(connection, USE_CASE) == 1_000
        assert answers_since(connection, USE_CASE, 999, most=4) == 4
        assert answers_since(connection, USE_CASE, 1_000, most=4) == 2
        assert answers_since(connection, USE_CASE, 2_000, most=4) == 0
