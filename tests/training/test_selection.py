from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from loop.evaluation import score
from loop.progress import Silence
from loop.refusals import NotTrainable, UseCaseMistake
from tests.training.conftest import QUICK, use_case_of, visits
from training.preparation import PreparedRows, prepare
from training.selection import compare, cost_of_embedding, person_folds
from training.snapshot import storable


class Heard:
    """Progress that remembers."""

    def __init__(self) -> None:
        self.totals: list[int | None] = []
        self.steps = 0

    def stage(self, text: str, total: int | None = None) -> None:
        self.totals.append(total)

    def advance(self, steps: int = 1) -> None:
        self.steps += steps


def test_a_person_is_never_on_both_sides_of_a_fold(prepared: PreparedRows) -> None:
    folds = person_folds(prepared.training, 0)
    answered = np.concatenate([answer for _, answer in folds])
    assert sorted(answered) == list(range(len(prepared.training)))
    whose = prepared.training.identities
    for fit_on, answer in folds:
        assert not set(whose[fit_on]) & set(whose[answer])


def test_the_best_candidate_comes_first_with_answers_to_rows_it_had_not_seen(prepared: PreparedRows) -> None:
    heard = Heard()
    found = compare(use_case_of(), prepared.contract, prepared.training, heard)
    assert [one.name for one in found.results] != []
    means = [one.mean for one in found.results]
    assert means == sorted(means, reverse=True) and {one.name for one in found.results} == set(QUICK)
    assert heard.totals == [heard.steps]
    labels = prepared.training.labels.tolist()
    pooled = score("roc_auc", labels, found.out_of_fold, prepared.contract.classes, ("yes",))
    assert abs(pooled - found.best.mean) < 0.05
    assert np.allclose(found.out_of_fold.sum(axis=1), 1)


def test_a_forest_does_not_know_the_rows_it_answers_out_of_fold() -> None:
    """Labels drawn by lot: answers to rows it was fitted on would be right in most cases."""
    frame = visits(900)
    frame["visited"] = np.random.default_rng(5).choice(["yes", "no"], len(frame))
    use_case = use_case_of(candidates={"random_forest": {"n_estimators": 20, "min_samples_leaf": 1}})
    rows = prepare(use_case, storable(frame))
    found = compare(use_case, rows.contract, rows.training, Silence())
    assert 0.4 < found.best.mean < 0.6


def test_a_loss_is_better_when_lower(prepared: PreparedRows) -> None:
    found = compare(use_case_of(metric="log_loss"), prepared.contract, prepared.training, Silence())
    assert [one.mean for one in found.results] == sorted(one.mean for one in found.results)


def test_the_comparison_is_the_same_each_time(prepared: PreparedRows) -> None:
    one, again = (compare(use_case_of(), prepared.contract, prepared.training, Silence()) for _ in range(2))
    assert [result.folds for result in one.results] == [result.folds for result in again.results]
    assert np.array_equal(one.out_of_fold, again.out_of_fold)


def test_what_pca_costs_is_measured_on_the_same_folds(prepared: PreparedRows) -> None:
    case = use_case_of(embedding={"kind": "pca", "components": 1})
    small = compare(case, prepared.contract, prepared.training, Silence())
    columns = cost_of_embedding(case, prepared.contract, prepared.training, "logistic_regression", Silence())
    assert columns is not None and columns.mean > small.best.mean + 0.05
    as_they_are = use_case_of(embedding={"kind": "columns"})
    assert (
        cost_of_embedding(as_they_are, prepared.contract, prepared.training, "logistic_regression", Silence())
        is None
    )


@pytest.mark.parametrize(
    "wrong", [{"sgd": {"alfa": 1}}, {"random_forest": {}, "hist_gradient_boosting": {"max_iter": "many"}}]
)
def test_a_wrong_setting_ends_the_comparison_with_its_name(
    prepared: PreparedRows, wrong: dict[str, Any]
) -> None:
    with pytest.raises(UseCaseMistake, match=r"candidates\.(sgd|hist_gradient_boosting)"):
        compare(use_case_of(candidates=wrong), prepared.contract, prepared.training, Silence())


def test_a_class_of_few_persons_is_refused_with_its_name() -> None:
    frame = visits()
    frame["visited"] = np.where(frame["person"].isin(["p0", "p1", "p2", "p3"]), "rare", frame["visited"])
    rows = prepare(use_case_of(), storable(frame))
    with pytest.raises(NotTrainable, match="'rare' has rows of 4 ids"):
        compare(use_case_of(), rows.contract, rows.training, Silence())
