from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from loop.evaluation import METRICS, evaluate, is_better, score

TWO = ("no", "yes")


def answers(rows: int, classes: int, seed: int = 0) -> tuple[list[str], np.ndarray, tuple[str, ...]]:
    generator = np.random.default_rng(seed)
    names = TWO if classes == 2 else tuple("ABCDEFG"[:classes])
    probabilities = generator.dirichlet(np.ones(classes), rows).round(2)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    labels = [names[generator.choice(classes, p=row)] for row in probabilities]
    return labels, probabilities, names


@pytest.mark.parametrize("classes", [2, 5])
def test_scores_are_those_of_scikit_learn(classes: int) -> None:
    labels, probabilities, names = answers(800, classes)
    predicted = [names[place] for place in probabilities.argmax(axis=1)]
    found = evaluate(labels, probabilities, names, ("yes",) if classes == 2 else (), seed=0, resamples=10)
    average = {"average": "binary", "pos_label": "yes"} if classes == 2 else {"average": "macro"}
    expected = {
        "accuracy": metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, predicted),
        "precision": metrics.precision_score(labels, predicted, **average),
        "recall": metrics.recall_score(labels, predicted, **average),
        "f1": metrics.f1_score(labels, predicted, **average),
        "roc_auc": metrics.roc_auc_score(
            labels, probabilities[:, 1] if classes == 2 else probabilities, multi_class="ovr"
        ),
    }
    assert {name: found.scores[name].value for name in expected} == pytest.approx(expected)
    clipped = np.clip(probabilities, np.finfo(np.float32).eps, 1)
    clipped /= clipped.sum(axis=1, keepdims=True)
    assert found.scores["log_loss"].value == pytest.approx(
        metrics.log_loss(labels, clipped, labels=list(names))
    )
    assert found.confusion == tuple(map(tuple, metrics.confusion_matrix(labels, predicted).tolist()))
    assert tuple(found.scores) == METRICS


def test_the_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    # 100 rows that are 90 % sure and right in 60 %: one bin, gap .3.
    probabilities = np.tile([0.1, 0.9], (100, 1))
    labels = ["yes"] * 60 + ["no"] * 40
    assert score("calibration_error", labels, probabilities, TWO, ("yes",)) == pytest.approx(0.3)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """Persons of eight equal rows: resampled by row, an interval would cover in about half of all cases."""
    covered = covered_by_row = 0
    for seed in range(100):
        generator = np.random.default_rng(seed)
        right = np.repeat(generator.random(40) < 0.7, 8)
        persons = np.repeat(np.arange(40), 8).astype(str).tolist()
        labels = np.where(right, "yes", "no").tolist()
        sure = np.tile([0.2, 0.8], (320, 1))
        found = evaluate(labels, sure, TWO, ("yes",), identities=persons, seed=seed, resamples=100)
        by_row = evaluate(labels, sure, TWO, ("yes",), seed=seed, resamples=100)
        covered += found.scores["accuracy"].low <= 0.7 <= found.scores["accuracy"].high
        covered_by_row += by_row.scores["accuracy"].low <= 0.7 <= by_row.scores["accuracy"].high
    assert 86 <= covered <= 99
    assert covered_by_row < 70


def test_a_class_that_a_resample_lacks_breaks_nothing() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    found = evaluate(["no", "no", "yes"], probabilities, TWO, ("yes",), seed=0)
    assert all(s.low <= s.value <= s.high for s in found.scores.values())
    one_class = evaluate(["no"], probabilities[:1], TWO, ("yes",), seed=0)
    assert np.isnan(one_class.scores["roc_auc"].value)
    assert one_class.scores["accuracy"].value == 1
    with pytest.raises(ValueError, match="no rows"):
        evaluate([], np.zeros((0, 2)), TWO, ("yes",), seed=0)


def test_the_seed_decides_the_intervals() -> None:
    labels, probabilities, names = answers(300, 5)
    one, again, other = (evaluate(labels, probabilities, names, (), seed=s, resamples=50) for s in (1, 1, 2))
    assert one == again
    assert one.scores["accuracy"].low != other.scores["accuracy"].low


def test_better_is_lower_for_losses_and_never_unknown() -> None:
    assert is_better("roc_auc", 0.8, 0.7) and not is_better("log_loss", 0.8, 0.7)
    assert not is_better("roc_auc", float("nan"), 0.1) and not is_better("log_loss", float("nan"), 0.1)
