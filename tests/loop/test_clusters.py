"""Rows of one person are no new evidence: how many rows a window is worth."""

from __future__ import annotations

import numpy as np
import pytest

from loop.clusters import Clusters


def of(*chunks: list[str | None], most: int = 100_000) -> float:
    clusters = Clusters(most)
    for chunk in chunks:
        clusters.add(len(chunk), np.array(chunk, dtype=object))
    return clusters.design_effect


def test_rows_of_different_persons_count_in_full() -> None:
    assert of(["a", "b", "c"]) == 1.0


def test_five_rows_of_each_person_count_as_one() -> None:
    assert of(["a", "b"] * 5) == 5.0


def test_a_person_s_rows_meet_across_chunks() -> None:
    assert of(["a", "b"], ["a", "b"], ["a"]) == of(["a", "b", "a", "b", "a"]) == pytest.approx(13 / 5)


def test_rows_without_an_identity_are_each_their_own() -> None:
    assert of([None, None, None]) == 1.0
    clusters = Clusters()
    clusters.add(7)
    assert clusters.design_effect == 1.0


def test_no_rows_are_worth_no_less_than_they_are() -> None:
    assert Clusters().design_effect == 1.0


def test_of_too_many_persons_some_stand_for_all() -> None:
    persons = [f"person {number}" for number in range(5_000)]
    clusters = Clusters(most=500)
    for _ in range(3):
        clusters.add(len(persons), np.array(persons, dtype=object))
    assert len(clusters._rows) <= 500
    assert clusters.design_effect == pytest.approx(3.0)
    clusters.add(15_000)
    assert clusters.design_effect == pytest.approx(2.0, rel=0.2)


def test_persons_who_come_later_are_chosen_as_the_first_ones_were() -> None:
    clusters = Clusters(most=500)
    first = [f"person {number}" for number in range(5_000)]
    for _ in range(3):
        clusters.add(len(first), np.array(first, dtype=object))
    clusters.add(150, np.array([f"later {number}" for number in range(150)], dtype=object))
    assert clusters.design_effect == pytest.approx((5_000 * 9 + 150) / 15_150, abs=0.1)
