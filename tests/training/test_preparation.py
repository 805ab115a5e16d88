from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loop.refusals import NotTrainable, UseCaseMistake
from tests.training.conftest import use_case_of, visits
from training.preparation import prepare
from training.snapshot import storable


def test_the_holdout_has_no_say_in_the_contract() -> None:
    frame = visits()
    held_out = set(prepare(use_case_of(), storable(frame)).holdout.identities)
    frame.loc[frame["person"].isin(held_out), "age"] = 1_000
    contract = prepare(use_case_of(), storable(frame)).contract
    (age,) = (column for column in contract.columns if column.name == "age")
    assert age.maximum is not None and age.maximum < 100


def test_rows_that_break_the_contract_are_set_aside_and_counted() -> None:
    frame = visits()
    frame["age"] = frame["age"].astype(object)
    frame.loc[[3, 4, 5], "age"] = "old"
    prepared = prepare(use_case_of(), storable(frame))
    assert prepared.set_aside == 3
    assert len(prepared.training) + len(prepared.holdout) == 597
    assert len(prepared.training_frame) == len(prepared.training)
    assert prepared.training_frame["visited"].tolist() == prepared.training.labels.tolist()


def test_many_broken_rows_are_refused_with_the_commonest_problems() -> None:
    """A column that only held-out persons lack: the training part never showed it empty."""
    frame = visits()
    held_out = set(prepare(use_case_of(), storable(frame)).holdout.identities)
    frame["age"] = frame["age"].astype(float)
    frame.loc[frame["person"].isin(held_out), "age"] = np.nan
    with pytest.raises(NotTrainable, match=r"more than 5%: age in \d+ rows .*is empty"):
        prepare(use_case_of(), storable(frame))


def test_parts_too_thin_to_learn_from_are_refused() -> None:
    with pytest.raises(NotTrainable, match="too few to score"):
        prepare(use_case_of(holdout=0.001), storable(visits()))
    one = visits()
    held_out = prepare(use_case_of(), storable(one)).holdout.identities[0]
    one.loc[one["person"] == held_out, "visited"] = "never"
    with pytest.raises(NotTrainable, match="too few rows of never"):
        prepare(use_case_of(), storable(one))


def test_a_column_named_as_what_is_predicted_is_refused() -> None:
    with pytest.raises(UseCaseMistake, match="probability_yes: Rebento gives this name"):
        prepare(use_case_of(), storable(visits().assign(probability_yes=0.5)))


def test_an_integer_id_and_its_text_are_one_person() -> None:
    numbered = visits().assign(person=lambda frame: frame["person"].str[1:].astype(int))
    named = numbered.assign(person=numbered["person"].astype(str))
    parts = [prepare(use_case_of(), storable(pd.DataFrame(frame))) for frame in (numbered, named)]
    assert parts[0].holdout.identities.tolist() == parts[1].holdout.identities.tolist()
