"""The contract that rows show, and rows as a caller would send them."""

import datetime
import decimal
import json
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest

from loop.refusals import NotTrainable, UseCaseMistake
from runner.rows import RowChecker
from use_cases.contract import MISSING_CATEGORY, Column, Contract
from use_cases.derive import MOST_CATEGORIES, derive_contract, frame_rows
from use_cases.use_case import UseCase


def use_case(**more: Any) -> UseCase:
    return UseCase.model_validate({"name": "example", "target": "y", "source": {"csv": "rows.csv"}, **more})


def contract_of(frame: pd.DataFrame, **more: Any) -> Contract:
    return derive_contract(use_case(**more), frame)


def column_of(values: Any, **more: Any) -> Column:
    frame = pd.DataFrame({"a": values})
    frame["y"] = ["no", "yes"] * (len(frame) // 2) + ["no"] * (len(frame) % 2)
    (column,) = contract_of(frame, **more).columns
    return column


def rows_back(values: Any, **more: Any) -> list[Any]:
    """The column's cells after frame_rows, having passed the one validation."""
    frame = pd.DataFrame({"a": values, "y": "no"})
    contract = contract_of(frame, **more)
    rows = frame_rows(contract, frame)
    json.dumps(rows, allow_nan=False)
    RowChecker(contract).check(rows)
    return [row["a"] for row in rows]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "number"),
        ([1.5, None], "number"),
        (["1.5", " ", "2"], "number"),
        ([decimal.Decimal("1.5"), decimal.Decimal(2)], "number"),
        ([None, None], "number"),
        ([True, False], "boolean"),
        ([True, None], "boolean"),
        (["True", "false", ""], "boolean"),
        (["2024-01-31", "2024-02-29"], "date"),
        (["2024-01-31T10:00:00Z", None], "date"),
        ([datetime.date(2024, 1, 31), None], "date"),
        (pd.to_datetime(["2024-01-31", None]), "date"),
        (["a", "b"], "category"),
        (["1", "b"], "category"),
        (["yes", "no"], "category"),
        (["2024-01-31", "soon"], "category"),
        (["31/01/2024", "29/02/2024"], "category"),
    ],
)
def test_the_kind_is_what_the_values_look_like(values: Any, kind: str) -> None:
    assert column_of(values).kind == kind


def test_numbers_carry_range_quantiles_and_median() -> None:
    column = column_of([float(number) for number in range(101)] + [None])
    assert (column.minimum, column.maximum, column.nullable, column.whole) == (0.0, 100.0, True, True)
    assert column.quantiles == {"0.05": 5.0, "0.25": 25.0, "0.5": 50.0, "0.75": 75.0, "0.95": 95.0}
    assert column.typical == 50
    assert not column_of([1.5, 2.0]).whole
    assert not column_of([1, 2]).nullable


def test_dates_are_measured_in_days_and_shown_as_text() -> None:
    column = column_of(["1970-01-02", "1970-01-11", "1970-01-05"])
    assert (column.minimum, column.maximum, column.quantiles["0.5"]) == (1.0, 10.0, 4.0)
    assert (column.typical, column.example) == ("1970-01-05", "1970-01-02")
    timed = column_of(["1970-01-02T12:00:00", "1970-01-02T18:00:00Z"])
    assert (timed.minimum, timed.typical) == (1.5, "1970-01-02T12:00:00")


def test_categories_are_shares_of_all_rows_most_frequent_first() -> None:
    column = column_of(["b", "a", "b", None, MISSING_CATEGORY, "c", "c", "b"])
    assert list(column.categories.items()) == [("b", 0.375), ("c", 0.25), ("a", 0.125)]
    assert (column.typical, column.nullable) == ("b", True)
    flags = column_of([True, False, True, None])
    assert list(flags.categories.items()) == [("true", 0.5), ("false", 0.25)]
    assert flags.typical is True


def test_only_the_most_frequent_categories_are_known() -> None:
    values = [f"v{number}" for number in range(MOST_CATEGORIES + 50)] + ["v249"]
    column = column_of(values)
    assert len(column.categories) == MOST_CATEGORIES
    assert next(iter(column.categories)) == "v249"


def test_a_number_forced_to_a_category_is_known_by_its_text() -> None:
    column = column_of([31, 75.0, None, 31], kinds={"a": "category"})
    assert column.categories == {"31": 0.5, "75": 0.25}


def test_zero_and_one_may_be_forced_to_booleans() -> None:
    assert column_of([0, 1, 1, 1], kinds={"a": "boolean"}).categories == {"true": 0.75, "false": 0.25}
    with pytest.raises(UseCaseMistake, match=r"kinds\.a: 1 of 2 values are no boolean, such as '2'"):
        column_of([0, 2], kinds={"a": "boolean"})


def test_infinite_numbers_are_refused_by_column() -> None:
    with pytest.raises(NotTrainable, match="Column 'a' has 1 infinite"):
        column_of([1.0, np.inf])


def test_the_example_is_one_real_row_without_gaps_and_passes_the_check() -> None:
    frame = pd.DataFrame(
        {
            "n": [None, 2, 3],
            "c": ["u", None, "v"],
            "d": ["2024-01-01", "2024-01-02", "2024-01-03"],
            "b": [True, False, True],
            "y": ["no", "yes", "no"],
        }
    )
    contract = contract_of(frame)
    assert contract.example_row() == {"n": 3, "c": "v", "d": "2024-01-03", "b": True}
    RowChecker(contract).check([contract.example_row()])


def test_classes_are_sorted_and_the_positive_one_is_guessed_only_for_two() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3], "y": ["no", "yes", "no"]})
    assert contract_of(frame).classes == ("no", "yes")
    assert contract_of(frame).positive == ("yes",)
    assert contract_of(frame, positive="no").positive == ("no",)
    assert contract_of(frame.assign(y=["u", "v", "u"])).positive == ("v",)
    assert contract_of(frame.assign(y=["u", "v", "w"])).positive == ()


def test_id_time_target_and_snapshot_date_are_no_features() -> None:
    frame = pd.DataFrame({"k": ["1"], "t": [2024], "a": [1], "known_at": pd.Timestamp(0), "y": ["no"]})
    contract = contract_of(frame, id="k", time="t")
    assert [column.name for column in contract.columns] == ["a"]
    assert (contract.id_column, contract.time_column) == ("k", "t")
    with pytest.raises(NotTrainable, match="no feature columns"):
        contract_of(frame[["k", "y"]], id="k")


@pytest.mark.parametrize(
    ("values", "cells"),
    [
        ([1, 2], [1, 2]),
        ([1.0, np.nan], [1, None]),
        ([1.5, 2.0], [1.5, 2.0]),
        (["1.5", " "], [1.5, None]),
        ([True, None], [True, None]),
        (["a", MISSING_CATEGORY], ["a", None]),
        (pd.to_datetime(["2024-01-31", None]), ["2024-01-31", None]),
        (
            pd.to_datetime(["2024-01-31 10:00", "2024-02-01 00:00"]),
            ["2024-01-31T10:00:00", "2024-02-01T00:00:00"],
        ),
        (["2024-01-31T10:00:00+02:00", "2024-02-01"], ["2024-01-31T08:00:00", "2024-02-01T00:00:00"]),
        (pd.Categorical(["u", "v"]), ["u", "v"]),
        (pd.array([1, None], dtype="Int64"), [1, None]),
    ],
)
def test_cells_come_back_as_json_would_carry_them(values: Any, cells: list[Any]) -> None:
    back = rows_back(values)
    assert back == cells
    assert [type(one) for one in back] == [type(one) for one in cells]


def test_a_few_odd_cells_stay_for_the_check_to_refuse_one_by_one() -> None:
    for values, odd in (
        ([str(number) for number in range(199)], "n/k"),
        (["2024-01-31"] * 199, "soon"),
    ):
        frame = pd.DataFrame({"a": [*values, odd], "y": "no"})
        contract = contract_of(frame)
        assert contract.columns[0].kind != "category"
        checked, kept, problems = RowChecker(contract).check_each(frame_rows(contract, frame))
        assert len(kept) == len(checked.rows) == 199
        assert [(problem.row, problem.column) for problem in problems] == [(199, "a")]
        assert odd in problems[0].problem


def test_rows_hold_keys_as_text_and_leave_other_columns_out() -> None:
    frame = pd.DataFrame(
        {"k": [7, 8], "t": pd.to_datetime(["2024-01-31", None]), "a": [1, 2], "y": ["no", "yes"], "z": 0}
    )
    contract = contract_of(frame.drop(columns="z"), id="k", time="t")
    assert frame_rows(contract, frame) == [
        {"a": 1, "k": "7", "t": "2024-01-31"},
        {"a": 2, "k": "8", "t": None},
    ]
    assert frame_rows(contract, frame[["z"]]) == [{}, {}]
    assert frame_rows(contract, frame.iloc[:0]) == []


def test_a_whole_number_beyond_64_bits_stays_a_number_that_json_carries() -> None:
    frame = pd.DataFrame({"amount": [1e25, 3.0], "t": ["a", "b"]})
    use_case = UseCase(name="huge", source={"csv": "x.csv"}, target="t")
    contract = derive_contract(use_case, frame)
    rows = frame_rows(contract, frame)
    assert [type(row["amount"]) for row in rows] == [float, int]
    assert orjson.loads(orjson.dumps(rows)) == rows
    assert contract.columns[0].maximum == 1e25


def test_a_part_of_the_rows_reads_by_the_contract_not_by_its_own_looks() -> None:
    contract = contract_of(pd.DataFrame({"a": ["x", "1"], "b": [1.5, 2], "y": ["no", "yes"]}))
    assert frame_rows(contract, pd.DataFrame({"a": [1], "b": ["2"]})) == [{"a": "1", "b": 2}]
