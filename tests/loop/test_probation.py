from __future__ import annotations

import pytest
from scipy.stats import binom, fisher_exact

from loop.probation import Failed, look
from loop.shares import chance_of_at_least, chance_of_more


def test_a_quiet_probation_ends_by_itself() -> None:
    assert look(0, 0, 0, seconds=59.9, probation_seconds=60) == "wait"
    assert look(0, 0, 0, seconds=60, probation_seconds=60) == "passed"


def test_errors_end_it_at_once() -> None:
    found = look(50, 5, 0, seconds=1, probation_seconds=60)
    assert isinstance(found, Failed) and "5 of its 50 answers" in found.reason
    assert isinstance(look(50_000, 50_000, 0, seconds=1, probation_seconds=60), Failed)


def test_a_caller_s_oddity_does_not_end_it() -> None:
    assert look(2, 2, 0, seconds=1, probation_seconds=60) == "wait"
    assert look(1_000_000, 9_000, 0, seconds=60, probation_seconds=60) == "passed"


def test_the_second_crash_ends_it() -> None:
    assert look(10, 0, 1, seconds=5, probation_seconds=60) == "wait"
    found = look(10, 0, 2, seconds=60, probation_seconds=60)
    assert isinstance(found, Failed) and "crashed 2 times" in found.reason


@pytest.mark.parametrize(
    ("hits", "rows", "share"), [(3, 100, 0.01), (8, 10, 0.5), (2, 10, 0.5), (70, 5_000, 0.01)]
)
def test_shares_are_those_of_scipy(hits: int, rows: int, share: float) -> None:
    assert chance_of_at_least(hits, rows, share) == pytest.approx(binom.sf(hits - 1, rows, share))


@pytest.mark.parametrize("table", [(3, 4, 1, 4), (40, 200, 150, 800), (0, 5, 5, 9), (9, 9, 0, 9)])
def test_fisher_s_test_is_that_of_scipy(table: tuple[int, int, int, int]) -> None:
    hits, rows, other_hits, other_rows = table
    cells = [[hits, rows - hits], [other_hits, other_rows - other_hits]]
    assert chance_of_more(*table) == pytest.approx(fisher_exact(cells, alternative="greater").pvalue)
