"""Profiles: what any split into chunks counts, in which columns, and what comes of two of them."""

from __future__ import annotations

import datetime
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from loop.drift import DriftNumbers
from reporting.profiles import ReferenceBins, WindowProfile, column_values, drift_numbers
from use_cases.contract import MISSING_CATEGORY, Column, Contract
from use_cases.schema import Policy

CONTRACT = Contract(
    use_case="visits",
    target="visit",
    classes=("no", "yes"),
    id_column="person",
    columns=(
        Column(name="age", kind="number", nullable=True),
        Column(name="town", kind="category", nullable=True, categories={"north": 0.6, "south": 0.3}),
        Column(name="member", kind="boolean", nullable=True),
        Column(name="since", kind="date", nullable=True),
    ),
)
DIMENSIONS = ("PCA_1", "PCA_2")
POLICY = Policy()


class Rows:
    """Made-up rows; `years` moves the age, `yes` is the share of that label."""

    def __init__(self, count: int, seed: int, years: float = 0.0, yes: float = 0.3) -> None:
        generator = np.random.default_rng(seed)
        towns = np.array(["north", "south", None], dtype=object)
        days = generator.integers(0, 365, count)
        self.frame = pd.DataFrame(
            {
                "age": generator.normal(40 + years, 10, count),
                "town": generator.choice(towns, count, p=[0.6, 0.3, 0.1]),
                "member": generator.random(count) < 0.5,
                "since": pd.Timestamp(2024, 1, 1) + pd.to_timedelta(days, "D"),
            }
        )
        self.vectors = generator.normal(years / 10, 1.0, (count, 2)).astype(np.float32)
        self.predictions = np.where(generator.random(count) < 0.3, "yes", "no").astype(object)
        self.labels = np.where(generator.random(count) < yes, "yes", "no").astype(object)

    def profile(self, bins: ReferenceBins, chunks: int = 1) -> WindowProfile:
        profile = WindowProfile(bins)
        for places in np.array_split(np.arange(len(self.frame)), chunks):
            profile.add(
                self.frame.iloc[places],
                self.vectors[places],
                self.predictions[places],
                self.labels[places],
            )
        return profile


REFERENCE = Rows(3_000, seed=0)
BINS = ReferenceBins.of(REFERENCE.frame, CONTRACT, REFERENCE.vectors, DIMENSIONS)
BEFORE = REFERENCE.profile(BINS)


def drifted(found: DriftNumbers) -> set[str]:
    return {column.name for column in found.columns if column.is_drifted}


def test_chunks_add_up_to_the_whole_window() -> None:
    later = Rows(700, seed=1, years=3)
    assert drift_numbers(BEFORE, later.profile(BINS, chunks=9), POLICY) == drift_numbers(
        BEFORE, later.profile(BINS), POLICY
    )


def test_a_window_of_the_same_kind_has_not_drifted() -> None:
    found = drift_numbers(BEFORE, Rows(700, seed=2).profile(BINS), POLICY)
    assert drifted(found) == set() and found.drift_share == 0.0
    assert found.target_drift is not None and found.target_drift < 0.05


def test_the_reference_lies_no_distance_from_itself() -> None:
    found = drift_numbers(BEFORE, REFERENCE.profile(BINS, chunks=4), POLICY)
    assert {column.distance for column in found.columns} == {0.0}
    assert (found.target_drift, found.prediction_drift, found.drift_share) == (0.0, 0.0, 0.0)


def test_each_group_has_its_columns_and_only_inputs_make_the_share() -> None:
    found = drift_numbers(BEFORE, Rows(700, seed=3, years=10).profile(BINS), POLICY)
    assert [(column.group, column.name) for column in found.columns] == [
        *(("input", name) for name in ("age", "town", "member", "since")),
        *(("embedding", name) for name in DIMENSIONS),
        ("prediction", "prediction"),
        ("target", "visit"),
    ]
    assert drifted(found) == {"age", *DIMENSIONS}
    assert found.drift_share == 0.25


def test_the_target_is_judged_by_its_own_threshold() -> None:
    later = Rows(2_000, seed=4, yes=0.5).profile(BINS)
    assert "visit" in drifted(drift_numbers(BEFORE, later, POLICY))
    patient = POLICY.model_copy(update={"target_drift": 0.4})
    found = drift_numbers(BEFORE, later, patient)
    assert "visit" not in drifted(found)
    assert found.target_drift == pytest.approx(0.17, abs=0.05)


def test_of_few_labels_nothing_is_said() -> None:
    later = Rows(400, seed=5)
    later.labels[49:] = None
    found = drift_numbers(BEFORE, later.profile(BINS), POLICY)
    assert found.target_drift is None and not found.of_group("target")
    assert found.prediction_drift is not None
    later.labels[49] = "no"
    assert drift_numbers(BEFORE, later.profile(BINS), POLICY).target_drift is not None


def test_labels_that_are_not_there_are_no_label() -> None:
    later = Rows(400, seed=6)
    later.labels[::2] = None
    profile = later.profile(BINS)
    assert profile.target.sum() == 200
    found = drift_numbers(BEFORE, profile, POLICY)
    assert found.target_drift is not None and found.target_drift < 0.1


def test_a_column_all_missing_or_absent_has_drifted_and_is_named() -> None:
    later = Rows(400, seed=7)
    profile = WindowProfile(BINS)
    profile.add(later.frame.drop(columns="town").assign(age=np.nan), later.vectors)
    found = {column.name: column for column in drift_numbers(BEFORE, profile, POLICY).columns}
    assert found["age"].is_drifted and found["age"].note == "missing: 0.0% of rows before, 100.0% now"
    assert found["town"].is_drifted and found["town"].note.startswith("missing:")


def test_a_window_without_rows_has_drifted_in_nothing() -> None:
    profile = WindowProfile(BINS)
    profile.add(REFERENCE.frame.iloc[:0], REFERENCE.vectors[:0], REFERENCE.labels[:0], REFERENCE.labels[:0])
    found = drift_numbers(BEFORE, profile, POLICY)
    assert drifted(found) == set() and found.drift_share == 0.0
    assert (found.target_drift, found.prediction_drift) == (None, None)
    assert all("no rows" in column.note for column in found.columns)


def test_one_row_is_too_little_for_any_drift() -> None:
    found = drift_numbers(BEFORE, Rows(1, seed=8).profile(BINS), POLICY)
    assert drifted(found) == set()


def test_rows_of_one_person_weigh_less() -> None:
    persons = Rows(80, seed=9)
    whose = np.repeat([f"person {place}" for place in range(80)], 6).astype(object)
    frame = persons.frame.loc[persons.frame.index.repeat(6)]
    alone, together = WindowProfile(BINS), WindowProfile(BINS)
    alone.add(frame)
    together.add(frame[:240], identities=whose[:240])
    together.add(frame[240:], identities=whose[240:])
    assert (alone.clustering, together.clustering) == (1.0, 6.0)
    strict = drift_numbers(BEFORE, alone, POLICY).columns[0]
    fair = drift_numbers(BEFORE, together, POLICY).columns[0]
    assert strict.distance == fair.distance and fair.threshold > 1.5 * strict.threshold


def test_windows_counted_in_other_bins_are_refused() -> None:
    others = ReferenceBins.of(REFERENCE.frame, CONTRACT, REFERENCE.vectors, DIMENSIONS)
    with pytest.raises(ValueError, match="different bins"):
        drift_numbers(BEFORE, REFERENCE.profile(others), POLICY)


def test_a_reference_without_rows_makes_bins_in_which_nothing_drifts() -> None:
    bins = ReferenceBins.of(REFERENCE.frame.iloc[:0], CONTRACT, REFERENCE.vectors[:0], DIMENSIONS)
    found = drift_numbers(WindowProfile(bins), REFERENCE.profile(bins), POLICY)
    assert drifted(found) == set()


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("age", [1, 2], [1.0, 2.0]),
        ("age", ["1.5", None], [1.5, np.nan]),
        ("age", [None, None], [np.nan, np.nan]),
        ("member", [True, False], [1.0, 0.0]),
        ("member", [True, None], [1.0, np.nan]),
        ("member", [1.0, np.nan], [1.0, np.nan]),
        ("since", [pd.Timestamp(1970, 1, 3), pd.NaT], [2.0, np.nan]),
        ("since", ["1970-01-02", None], [1.0, np.nan]),
        ("since", [3.0, np.nan], [3.0, np.nan]),
        ("town", ["north", None], ["north", None]),
        ("town", ["north", MISSING_CATEGORY], ["north", None]),
        ("town", [np.nan, "31"], [None, "31"]),
        ("town", [31, None], ["31", None]),
    ],
)
def test_values_are_read_in_the_forms_in_which_they_come(
    column: str, values: list[object], expected: list[object]
) -> None:
    kinds = {one.name: one for one in CONTRACT.columns}
    found = column_values(pd.DataFrame({column: values}), kinds[column])
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one == other or (one != one and other != other)


def test_a_class_that_these_rows_never_showed_has_a_bin() -> None:
    only_no = replace(BINS)
    profile = WindowProfile(only_no)
    profile.add(REFERENCE.frame[:60], labels=np.array(["no"] * 60, dtype=object))
    later = WindowProfile(only_no)
    later.add(REFERENCE.frame[:60], labels=np.array(["yes"] * 60, dtype=object))
    assert drift_numbers(profile, later, POLICY).target_drift == 1.0


def test_dates_before_1970_are_numbers_too() -> None:
    rows = pd.DataFrame({"since": [datetime.date(1969, 12, 31).isoformat()]})
    assert column_values(rows, CONTRACT.columns[3]).tolist() == [-1.0]
