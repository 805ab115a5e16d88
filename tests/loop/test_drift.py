"""Drift: more than luck and more than a trifle, whatever the sizes and however many columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from loop.bins import Bins
from loop.drift import ColumnCounts, ColumnDrift, compare, compare_columns, distances

UNIT = np.random.default_rng(0)
REFERENCE = UNIT.normal(size=5_000)
BINS = Bins.of_numbers(REFERENCE)


def counted(
    values: np.ndarray, name: str = "x", clustering: tuple[float, float] = (1.0, 1.0)
) -> ColumnCounts:
    return ColumnCounts(name, "input", BINS, BINS.count(REFERENCE), BINS.count(values), clustering)


def judged(columns: Sequence[ColumnCounts], smallest: float = 0.1) -> tuple[ColumnDrift, ...]:
    return compare_columns(columns, smallest=smallest, false_alarms=0.05)


def one(values: np.ndarray, smallest: float = 0.1) -> ColumnDrift:
    return judged([counted(values)], smallest)[0]


def test_the_distance_is_that_of_the_books() -> None:
    generator = np.random.default_rng(1)
    for _ in range(20):
        one, other = generator.integers(0, 9, 7), generator.integers(0, 90, 7)
        ours = distances(one, other)
        assert ours == pytest.approx(jensenshannon(one, other, base=2))
        shares = one / one.sum(), other / other.sum()
        hellinger = np.sqrt(((np.sqrt(shares[0]) - np.sqrt(shares[1])) ** 2).sum() / 2)
        assert distances(one, other, "hellinger") == pytest.approx(hellinger)


def test_the_distance_of_windows_that_share_nothing_is_one_and_of_equal_ones_none() -> None:
    for method in ("jensenshannon", "hellinger"):
        assert distances(np.array([5, 0]), np.array([0, 2]), method) == 1.0
        assert distances(np.array([2, 4]), np.array([50, 100]), method) == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize("rows", [50, 500, 5_000])
def test_a_mean_moved_by_a_deviation_is_found(rows: int) -> None:
    found = one(np.random.default_rng(2).normal(1.0, size=rows))
    assert found.is_drifted and found.distance > found.threshold
    assert found.p_value is not None and found.p_value < 0.01


@pytest.mark.parametrize("rows", [60, 500, 5_000, 1_000_000])
def test_no_change_is_no_drift_at_any_size(rows: int) -> None:
    windows = [np.random.default_rng(seed).normal(size=rows) for seed in range(20 if rows < 10_000 else 2)]
    assert sum(one(values).is_drifted for values in windows) <= 2


def test_the_threshold_grows_as_rows_get_fewer() -> None:
    values = np.random.default_rng(3).normal(size=5_000)
    few, many = one(values[:50]), one(values)
    assert few.threshold > 0.15 and many.threshold == 0.1


def test_a_difference_that_is_certain_and_tiny_is_no_drift() -> None:
    found = one(np.random.default_rng(4).normal(0.1, size=1_000_000))
    assert found.p_value is not None and found.p_value < 0.001
    assert not found.is_drifted
    assert one(np.random.default_rng(4).normal(0.1, size=1_000_000), smallest=0.02).is_drifted


def test_of_many_columns_without_drift_hardly_ever_any_is_named() -> None:
    generator = np.random.default_rng(5)
    coin = Bins.of_numbers(np.array([0.0, 1.0]))

    def column(number: int) -> ColumnCounts:
        before, now = (coin.count(generator.integers(0, 2, rows)) for rows in (5_000, 500))
        return ColumnCounts(f"coin {number}", "input", coin, before, now)

    looks = [judged([column(number) for number in range(30)], 0.0) for _ in range(30)]
    named = sum(any(column.is_drifted for column in look) for look in looks)
    alone = sum(judged([column(0)], 0.0)[0].is_drifted for _ in range(300))
    assert named <= 5  # each alone at 5 %, four of five looks would name one
    assert 5 <= alone <= 30


def test_one_drifted_column_among_a_hundred_is_named_alone() -> None:
    generator = np.random.default_rng(6)
    columns = [counted(generator.normal(size=500), f"c{place}") for place in range(100)]
    columns[70] = counted(generator.normal(0.8, size=500), "moved")
    assert [column.name for column in judged(columns) if column.is_drifted] == ["moved"]


def test_is_drifted_is_what_threshold_and_distance_say() -> None:
    generator = np.random.default_rng(7)
    for rows in (60, 300, 3_000):
        columns = [counted(generator.normal(shift, size=rows)) for shift in np.linspace(0, 0.8, 12)]
        for column in judged(columns):
            assert column.is_drifted == (column.distance >= column.threshold)


def test_rows_of_one_person_are_no_new_evidence() -> None:
    generator = np.random.default_rng(8)
    drifted = {1.0: 0, 5.0: 0}
    for _ in range(40):
        values = np.repeat(generator.normal(size=60), 5)
        for effect in drifted:
            drifted[effect] += judged([counted(values, clustering=(1.0, effect))])[0].is_drifted
    assert drifted[1.0] > 30
    assert drifted[5.0] <= 5


def test_a_category_that_was_never_there_is_drift_where_it_is_frequent() -> None:
    bins = Bins.of_categories(["a"] * 500 + ["b"] * 500)
    before = bins.count(np.array(["a", "b"] * 500, dtype=object))
    for count, expected in ((1, False), (60, True)):
        now = bins.count(np.array(["a", "b"] * 200 + ["c"] * count, dtype=object))
        found = compare("letter", "input", bins, before, now, smallest=0.1, false_alarms=0.05)
        assert found.is_drifted == expected
    assert found.note == "new categories: 0.0% of rows before, 13.0% now"


def test_values_that_go_missing_are_drift() -> None:
    values = np.random.default_rng(9).normal(size=400)
    values[:80] = np.nan
    found = one(values)
    assert found.is_drifted and found.note.startswith("missing: 0.0%")


def test_without_rows_nothing_is_said() -> None:
    nothing = BINS.count(np.array([]))
    for reference, current in ((BINS.count(REFERENCE), nothing), (nothing, nothing)):
        found = compare("x", "input", BINS, reference, current, smallest=0.1, false_alarms=0.05)
        assert (found.distance, found.p_value, found.is_drifted) == (0.0, None, False)
        assert "no rows to compare" in found.note
    assert compare_columns([], smallest=0.1, false_alarms=0.05) == ()


def test_an_empty_column_does_not_change_what_is_said_of_others() -> None:
    moved = counted(np.random.default_rng(10).normal(0.7, size=200))
    empty = counted(np.array([]), "empty")
    assert judged([moved, empty])[0] == judged([moved])[0]


def test_the_same_seed_gives_the_same_numbers() -> None:
    columns = [counted(np.random.default_rng(11).normal(0.2, size=300)) for _ in range(3)]
    assert judged(columns) == judged(columns)


def test_what_is_said_of_a_column_does_not_hang_on_the_one_before_it() -> None:
    generator = np.random.default_rng(12)
    column = counted(generator.normal(0.15, size=300))
    others = [counted(generator.normal(shift, size=rows)) for shift, rows in ((0.0, 300), (1.0, 40))]
    one, other = (judged([before, column])[1] for before in others)
    assert one.p_value == other.p_value
