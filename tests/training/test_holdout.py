from __future__ import annotations

import doctest

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import loop.holdout
from loop.holdout import is_holdout
from tests.training.conftest import use_case_of, visits
from training.preparation import prepare
from training.snapshot import storable
from use_cases.derive import derive_contract, frame_rows
from use_cases.identity import holdout_mask, identities


def test_a_place_never_changes() -> None:
    # Chosen once: if these change, rows that a champion was judged on would be trained on.
    held_out = [i for i in range(40) if is_holdout(f"p{i}", 0.2, "visits")]
    assert held_out == [7, 12, 20]


# However long a busy machine takes for an example.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(st.text(st.characters()), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_only_adds_rows(identity: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert is_holdout(identity, small, "s") <= is_holdout(identity, large, "s")


def test_the_example_in_its_docstring_is_true() -> None:
    assert doctest.testmod(loop.holdout).failed == 0


def test_the_share_is_about_the_share() -> None:
    mask = holdout_mask([str(i) for i in range(20_000)], 0.3, "visits")
    assert abs(mask.mean() - 0.3) < 0.01


def test_two_use_cases_hold_out_other_persons() -> None:
    names = [str(i) for i in range(2_000)]
    both = holdout_mask(names, 0.5, "one") & holdout_mask(names, 0.5, "two")
    assert 0.2 < both.mean() < 0.3


def test_an_id_that_json_allows_and_utf8_does_not_has_a_place() -> None:
    assert is_holdout("\ud800", 1.0, "visits")


def test_a_person_is_on_one_side_only() -> None:
    prepared = prepare(use_case_of(), storable(visits()))
    assert not set(prepared.training.identities) & set(prepared.holdout.identities)
    assert len(prepared.training) + len(prepared.holdout) == 600


def test_rows_without_an_id_keep_their_place_when_rows_are_added() -> None:
    frame = visits().drop(columns="person")
    use_case = use_case_of(id=None)
    before = identities(frame_rows(derive_contract(use_case, frame), frame), None)
    later = frame.iloc[:5].copy()
    later["income"] = [1, 2, 3, 4, 5]
    later["since"] = pd.Timestamp("2022-03-04 05:06:07.5")  # now all dates are written to the microsecond
    more = pd.concat([frame, later], ignore_index=True)
    after = identities(frame_rows(derive_contract(use_case, more), more), None)
    assert after[:600] == before
    assert len(set(before)) == 600


def test_a_copy_of_a_training_row_is_never_held_out() -> None:
    rows = [{"a": 1, "b": "x"}, {"b": "x", "a": 1.0}, {"a": 2, "b": "x", "c": None}, {"a": 2, "b": "x"}]
    names = identities(rows, None)
    assert names[0] == names[1] != names[2] == names[3]
    assert identities([{"id": 7}, {"id": None, "a": 1}], "id")[0] == "7"
