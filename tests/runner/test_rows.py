"""Rows against a contract: what is refused, what is accepted with a warning, what becomes of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from loop.refusals import InvalidRows
from runner.rows import MOST_PROBLEMS, RowChecker
from use_cases.contract import MISSING_CATEGORY, Column, Contract

CONTRACT = Contract(
    use_case="visits",
    target="visit",
    classes=("no", "yes"),
    positive=("yes",),
    id_column="person",
    time_column="year",
    columns=(
        Column(name="income", kind="number", nullable=False, minimum=0, maximum=100),
        Column(name="coins", kind="number", nullable=True, minimum=0, maximum=95),
        Column(name="plan", kind="category", nullable=False, categories={"free": 0.6, "pay": 0.4}),
        Column(name="health", kind="category", nullable=True, categories={"good": 0.9}),
        Column(name="insured", kind="boolean", nullable=False, categories={"true": 0.5, "false": 0.5}),
        Column(name="since", kind="date", nullable=True, minimum=0, maximum=20_000),
    ),
)
GOOD: dict[str, Any] = {
    "income": 12.5,
    "coins": 25,
    "plan": "free",
    "health": "good",
    "insured": True,
    "since": "1970-01-11",
}


def check(*rows: Any) -> Any:
    return RowChecker(CONTRACT).check(rows)


def refusal(**changes: Any) -> InvalidRows:
    with pytest.raises(InvalidRows) as caught:
        check(GOOD | changes)
    return caught.value


def test_a_good_row_becomes_two_blocks() -> None:
    checked = check(GOOD)
    assert checked.numbers.dtype == np.float32
    assert checked.numbers.tolist() == [[12.5, 25.0, 1.0, 10.0]]
    assert checked.categories.tolist() == [["free", "good"]]
    assert checked.warnings == [[]]


def test_what_may_be_missing_may_be_null_or_left_out() -> None:
    for row in (GOOD | {"coins": None, "health": None}, {k: GOOD[k] for k in ("income", "plan", "insured")}):
        checked = check(row)
        assert math.isnan(checked.numbers[0, 1])
        assert checked.categories[0, 1] == MISSING_CATEGORY


def test_all_missing_required_columns_are_listed_together() -> None:
    with pytest.raises(InvalidRows) as caught:
        check({"coins": 1})
    assert set(caught.value.missing_features) == {"income", "plan", "insured"}
    assert "income" in str(caught.value) and "plan" in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("income", "12", "must be a number, not the text '12'"),
        ("income", True, "must be a number, not true"),
        ("income", [1], "must be a number, not a list"),
        ("income", math.nan, "NaN"),
        ("income", math.inf, "infinite"),
        ("income", 1e39, "too large"),
        ("income", 10**400, "too large"),
        ("plan", 3, "must be text, not the number 3"),
        ("plan", {"a": 1}, "must be text, not an object"),
        ("plan", "fr\x00ee", "null byte"),
        ("insured", 1, "must be true or false"),
        ("insured", "true", "must be true or false"),
        ("since", "yesterday", "no ISO date"),
        ("since", 12, "must be a date as text"),
        ("since", "0001-01-01T00:00:00+14:00", "outside the calendar"),
        ("person", {"id": 1}, "must be text or a number"),
        ("person", "a\x00", "must be text or a number"),
        ("visit", "yes", "is the target"),
        ("incme", 3, "is not a column"),
    ],
)
def test_a_wrong_value_is_refused_by_name(column: str, value: Any, said: str) -> None:
    error = refusal(**{column: value})
    (problem,) = error.detail
    assert (problem.row, problem.column) == (0, column)
    assert said in problem.problem and said in str(error)


def test_every_problem_of_every_row_is_found_at_once() -> None:
    with pytest.raises(InvalidRows) as caught:
        check(GOOD | {"income": "x", "plan": 3}, GOOD, 5)
    assert [(p.row, p.column) for p in caught.value.detail] == [(0, "income"), (0, "plan"), (2, None)]


def test_a_refusal_of_many_rows_stays_small() -> None:
    with pytest.raises(InvalidRows) as caught:
        check(*[GOOD | {"income": "x"}] * 1_000)
    assert len(caught.value.detail) == MOST_PROBLEMS
    assert "999 more" in str(caught.value)


def test_no_rows_are_refused() -> None:
    with pytest.raises(InvalidRows, match="at least one row"):
        check()


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("income", 101, "outside the range seen in training, 0 to 100"),
        ("coins", -1, "outside the range"),
        ("plan", "gold", "never seen"),
        ("since", "2150-01-01", "outside the dates seen in training, 1970-01-01 to 2024-10-04"),
    ],
)
def test_what_training_never_saw_is_accepted_with_a_warning(column: str, value: Any, said: str) -> None:
    ((warning,),) = check(GOOD | {column: value}).warnings
    assert warning["column"] == column
    assert said in warning["problem"]


def test_a_code_sent_as_a_number_is_the_category_of_that_text() -> None:
    column = Column(name="place", kind="category", nullable=False, categories={"31": 1.0})
    contract = Contract(use_case="x", target="t", classes=("a", "b"), columns=(column,))
    assert RowChecker(contract).check([{"place": 31}]).categories.tolist() == [["31"]]


def test_ids_and_times_are_kept_as_text_and_never_features() -> None:
    checked = check(GOOD | {"person": 17, "year": 3}, GOOD)
    assert checked.entity_ids == ["17", None]
    assert checked.event_times == ["3", None]
    assert checked.numbers.shape == (2, 4)


def test_good_rows_are_kept_apart_from_bad_ones() -> None:
    rows = [GOOD, GOOD | {"income": "x"}, GOOD | {"income": 7}]
    checked, kept, problems = RowChecker(CONTRACT).check_each(rows)
    assert kept == [0, 2]
    assert checked.numbers[:, 0].tolist() == [12.5, 7.0]
    assert [(p.row, p.column) for p in problems] == [(1, "income")]
