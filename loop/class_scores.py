"""How well each class is found, with intervals; and what confidence was worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loop.evaluation import CALIBRATION_BINS, RESAMPLES, Answers, Score
from loop.weighted import percentiles, ratio, weightings


@dataclass(frozen=True, slots=True)
class ClassScores:
    """One class against the rest. NaN where the rows cannot tell."""

    precision: Score
    recall: Score
    f1: Score
    rows: int
    """Rows of which it is the true answer."""


@dataclass(frozen=True, slots=True)
class ConfidenceBin:
    """Answers given with about the same confidence."""

    confidence: float
    """Their mean, 0 to 1."""
    right: float
    """The share of them that was right."""
    rows: int


def class_scores(
    labels: Sequence[str],
    probabilities: np.ndarray,
    classes: Sequence[str],
    *,
    identities: Sequence[str] | None = None,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, ClassScores]:
    """Each class's scores, in the order of the classes. Raises ValueError for no rows.

    Intervals are percentile bootstraps of 95 % over identities, as those of `loop.evaluation.evaluate`.
    """
    answers = Answers(labels, probabilities, classes, ())
    rows = len(answers.true)
    if identities is None:
        groups = np.arange(rows)
    else:
        groups = np.unique(np.asarray(identities, dtype=str), return_inverse=True)[1]
    value = _of_classes(answers.cells(np.ones((1, rows))))[0]
    drawn = [
        _of_classes(answers.cells(weights)) for weights in weightings(groups, seed=seed, resamples=resamples)
    ]
    low, high = percentiles(np.concatenate(drawn).reshape(resamples, -1))
    low, high = (bound.reshape(value.shape) for bound in (low, high))
    counts = np.bincount(answers.true, minlength=len(answers.classes))
    found = {}
    for place, name in enumerate(answers.classes):
        precision, recall, f1 = (
            Score(
                float(value[kind, place]),
                float(np.fmin(low[kind, place], value[kind, place])),
                float(np.fmax(high[kind, place], value[kind, place])),
            )
            for kind in range(3)
        )
        found[name] = ClassScores(precision, recall, f1, int(counts[place]))
    return found


def confidence_bins(
    labels: Sequence[str], probabilities: np.ndarray, classes: Sequence[str]
) -> tuple[ConfidenceBin, ...]:
    """The reliability diagram: bins of equal width that hold rows, from unsure to sure (Guo et al. 2017)."""
    said = np.asarray(probabilities, dtype=np.float64)
    confidence = said.max(axis=1)
    called = np.asarray(classes, dtype=object)[said.argmax(axis=1)]
    right = (called == np.asarray(labels, dtype=object)).astype(np.float64)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    return tuple(
        ConfidenceBin(float(confidence[chosen].mean()), float(right[chosen].mean()), int(chosen.sum()))
        for chosen in (bins == one for one in np.unique(bins))
    )


def _of_classes(cells: np.ndarray) -> np.ndarray:
    """(weightings, 3, classes): precision, recall, F1 of confusion matrices (weightings, true, called)."""
    hits = np.diagonal(cells, axis1=1, axis2=2)
    true, called = cells.sum(axis=2), cells.sum(axis=1)
    return np.stack([ratio(hits, called), ratio(hits, true), ratio(2 * hits, true + called)], axis=1)
