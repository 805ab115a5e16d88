"""Bins: what the reference decides, every later value has one place in."""

from __future__ import annotations

import numpy as np
import pytest

from loop.bins import MOST_CATEGORIES, NUMBER_BINS, Bins

NORMAL = np.random.default_rng(0).normal(size=5_000)


def test_counts_of_chunks_add_up_to_the_counts_of_all() -> None:
    bins = Bins.of_numbers(NORMAL)
    later = np.r_[NORMAL + 1, np.nan, np.inf, -np.inf]
    parts = sum(bins.count(part) for part in np.array_split(later, 7))
    assert np.array_equal(parts, bins.count(later))
    assert bins.count(later).sum() == len(later)


def test_the_reference_fills_its_tenths_evenly_and_nothing_beyond() -> None:
    counts = Bins.of_numbers(NORMAL).count(NORMAL)
    assert len(counts) == NUMBER_BINS + 3
    assert counts[0] == counts[-2] == counts[-1] == 0
    assert counts[1:-2].min() >= 499 and counts[1:-2].max() <= 501


def test_values_outside_the_range_and_missing_ones_have_bins_of_their_own() -> None:
    bins = Bins.of_numbers(NORMAL)
    counts = bins.count(np.array([-99.0, -np.inf, 99.0, np.inf, np.inf, np.nan]))
    assert (counts[0], counts[-2], counts[-1]) == (2, 3, 1)
    assert counts.sum() == 6


def test_the_ends_of_the_reference_lie_within_it() -> None:
    bins = Bins.of_numbers(NORMAL)
    counts = bins.count(np.array([NORMAL.min(), NORMAL.max()]))
    assert counts[1] == 1 and counts[-3] == 1


def test_a_column_of_two_values_has_two_bins() -> None:
    bins = Bins.of_numbers(np.array([0.0] * 90 + [1.0] * 10))
    assert bins.count(np.array([0.0, 0.0, 1.0])).tolist() == [0, 2, 1, 0, 0]


def test_a_constant_column_has_one_bin_and_sees_what_is_above_and_below() -> None:
    bins = Bins.of_numbers(np.full(50, 7.0))
    assert bins.count(np.array([7.0, 6.9, 7.1, 7.1])).tolist() == [1, 1, 2, 0]


def test_a_value_that_fills_a_tenth_and_more_is_alone_in_its_bin() -> None:
    values = np.r_[np.zeros(400), np.arange(1, 601)].astype(float)
    bins = Bins.of_numbers(values)
    assert bins.count(np.zeros(5)).max() == 5
    place = int(bins.count(np.zeros(1)).argmax())
    assert bins.count(values)[place] == 400
    in_the_middle = np.r_[np.arange(300), np.full(400, 300.5), np.arange(301, 601)].astype(float)
    bins = Bins.of_numbers(in_the_middle)
    assert bins.count(in_the_middle)[int(bins.count(np.array([300.5])).argmax())] == 400


def test_a_column_that_is_all_missing_counts_what_comes_later() -> None:
    bins = Bins.of_numbers(np.full(20, np.nan))
    assert bins.count(np.array([np.nan, 1.0, 2.0])).tolist() == [2, 1]
    assert Bins.of_numbers(np.array([])).count(np.array([])).tolist() == [0, 0]


def test_infinite_values_of_the_reference_make_no_edges() -> None:
    bins = Bins.of_numbers(np.array([np.inf, -np.inf, 1.0, 2.0, 1e308, -1e308]))
    assert all(np.isfinite(bins.edges))
    assert bins.count(np.array([np.inf, -np.inf]))[[0, -2]].tolist() == [1, 1]


def test_rare_categories_share_a_bin_and_new_ones_have_another() -> None:
    reference = ["a"] * 500 + ["b"] * 490 + ["c"] * 5 + ["d"] * 5
    bins = Bins.of_categories(reference, known=("e",))
    values = np.array(["b", "a", "c", "d", "e", "z", None, np.nan], dtype=object)
    assert bins.categories == ("a", "b")
    assert bins.count(values).tolist() == [1, 1, 3, 1, 2]


def test_however_many_categories_there_are_the_bins_are_few() -> None:
    bins = Bins.of_categories([str(value) for value in range(50)] * 3)
    assert len(bins.categories) == MOST_CATEGORIES
    assert len(bins.names) == MOST_CATEGORIES + 3


@pytest.mark.parametrize(
    "bins",
    [
        Bins.of_numbers(NORMAL),
        Bins.of_numbers(np.array([0.0, 1.0])),
        Bins.of_numbers(np.array([])),
        Bins.of_categories(["a", None]),
    ],
)
def test_every_bin_has_a_name(bins: Bins) -> None:
    assert len(bins.names) == len(bins.count(np.array([])))
    assert len(set(bins.names)) == len(bins.names)
