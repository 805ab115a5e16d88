from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from loop.spending import critical_value, spent_at


def test_all_looks_together_never_spend_more_than_the_total() -> None:
    spent = np.cumsum([spent_at(look, 0.05) for look in range(1, 5_001)])
    assert (np.diff(spent) > 0).all()
    assert 0.0499 < spent[-1] < 0.05
    with pytest.raises(ValueError, match="from 1"):
        spent_at(0, 0.05)


@pytest.mark.parametrize("alpha", [0.025, 0.001])
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_the_best_of_several_exceeds_the_critical_value_as_often_as_allowed(
    alpha: float, correlation: float
) -> None:
    table = np.full((4, 4), correlation)
    np.fill_diagonal(table, 1.0)
    critical = critical_value(alpha, table, seed=0)
    common, *own = np.random.default_rng(1).standard_normal((5, 400_000))
    drawn = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * np.max(own, axis=0)
    assert (drawn > critical).mean() == pytest.approx(alpha, rel=0.15)


def test_the_bound_is_the_same_whichever_eigenvectors_a_processor_finds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = np.full((4, 4), 0.5) + 0.5 * np.eye(4)
    here = critical_value(0.001, table, seed=0)
    values, vectors = np.linalg.eigh(table)
    turned, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    elsewhere = np.column_stack([vectors[:, :3] @ turned, -vectors[:, 3]])  # three of the values are equal
    monkeypatch.setattr(np.linalg, "eigh", lambda _: (values, elsewhere))
    assert critical_value(0.001, table, seed=0) == pytest.approx(here, abs=1e-9)


def test_it_lies_between_one_challenger_and_bonferroni() -> None:
    one = -NormalDist().inv_cdf(1e-4)
    bonferroni = -NormalDist().inv_cdf(1e-4 / 3)
    assert critical_value(1e-4, np.ones((3, 3)), seed=0) == pytest.approx(one, abs=1e-3)
    assert one < critical_value(1e-4, np.eye(3), seed=0) <= bonferroni
