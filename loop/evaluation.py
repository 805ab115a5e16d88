"""How good probabilities are: eight scores, each with a bootstrap interval, and the confusion matrix.

Every score is computed for many weightings of the rows at once; the value itself is the one in which all
rows weigh 1. A resample draws identities, not rows, because rows of one person are not independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

METRICS = (
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "f1",
    "roc_auc",
    "log_loss",
    "calibration_error",
)
LOWER_IS_BETTER = frozenset(("log_loss", "calibration_error"))

RESAMPLES = 1000
CALIBRATION_BINS = 15
"""Equal-width bins of confidence, as in Guo et al. (2017)."""

_CELLS_AT_ONCE = 4_000_000
"""Weights held at a time (32 MB), whatever the number of rows."""


@dataclass(frozen=True, slots=True)
class Score:
    """A score and its percentile bootstrap interval of 95 %. NaN where the rows cannot tell."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one model's answers to some rows are worth."""

    scores: dict[str, Score]
    """Keyed by METRICS, in their order."""
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Rows by true class (outer) and predicted class (inner), in the order of `classes`."""
    rows: int
    identities: int

    def values(self) -> dict[str, float]:
        return {name: score.value for name, score in self.scores.items()}


def evaluate(
    labels: Sequence[str],
    probabilities: np.ndarray,
    classes: Sequence[str],
    positive: Sequence[str],
    *,
    identities: Sequence[str] | None = None,
    seed: int,
    resamples: int = RESAMPLES,
) -> Evaluation:
    """Scores of probabilities (rows, classes) against the true labels; the prediction is the likeliest class.

    Precision, recall, F1 and ROC AUC speak of the positive class where there are two classes; of several
    they are the plain mean over classes (one against the rest). A class that a resample lacks is left out
    of its means. An interval is widened to its value where resampling is biased (the calibration error's
    is: noise can only add to it). Raises ValueError for no rows.
    """
    answers = Answers(labels, probabilities, classes, positive)
    rows = len(answers.true)
    _, groups = np.unique(identities if identities is not None else np.arange(rows), return_inverse=True)
    counts = int(groups.max()) + 1
    value = answers.scores(np.ones((1, rows)))[0]
    generator = np.random.default_rng(seed)
    chance = np.full(counts, 1 / counts)
    drawn = []
    at_once = max(1, _CELLS_AT_ONCE // max(rows, 1))
    for start in range(0, resamples, at_once):
        weights = generator.multinomial(counts, chance, size=min(at_once, resamples - start))
        drawn.append(answers.scores(weights[:, groups].astype(np.float64)))
    scores = scores_of(value, np.concatenate(drawn) if drawn else value[None])
    size = len(answers.classes)
    confusion = np.bincount(answers.true * size + answers.predicted, minlength=size * size)
    return Evaluation(
        scores=scores,
        classes=answers.classes,
        confusion=tuple(map(tuple, confusion.reshape(size, size).tolist())),
        rows=rows,
        identities=counts,
    )


def scores_of(value: np.ndarray, drawn: np.ndarray) -> dict[str, Score]:
    """METRICS as `Answers.scores` gives them: (8,) with all rows weighing 1, and (resamples, 8)."""
    low, high = _percentiles(drawn)
    return {
        name: Score(float(value[i]), float(np.fmin(low[i], value[i])), float(np.fmax(high[i], value[i])))
        for i, name in enumerate(METRICS)
    }


def score(
    metric: str,
    labels: Sequence[str],
    probabilities: np.ndarray,
    classes: Sequence[str],
    positive: Sequence[str],
) -> float:
    """One of METRICS without its interval; NaN where the rows cannot tell (ROC AUC of one class)."""
    answers = Answers(labels, probabilities, classes, positive)
    return float(answers.scores(np.ones((1, len(answers.true))))[0, METRICS.index(metric)])


def is_better(metric: str, one: float, other: float) -> bool:
    """Whether `one` beats `other`; NaN never does."""
    return one < other if metric in LOWER_IS_BETTER else one > other


class Answers:
    """One model's answers to some rows, prepared once: each weighting costs a few matrix products."""

    def __init__(
        self,
        labels: Sequence[str],
        probabilities: np.ndarray,
        classes: Sequence[str],
        positive: Sequence[str],
    ) -> None:
        self.classes = tuple(classes)
        places = {name: place for place, name in enumerate(self.classes)}
        self.true = np.array([places[label] for label in labels], dtype=np.int64)
        if not len(self.true):
            raise ValueError("there are no rows to score")
        probabilities = np.asarray(probabilities, dtype=np.float64)
        self.predicted = probabilities.argmax(axis=1)
        confidence = probabilities[np.arange(len(self.true)), self.predicted]
        right = (self.true == self.predicted).astype(np.float64)
        size = len(self.classes)
        self._cells = np.eye(size * size)[self.true * size + self.predicted]
        # The smallest step of the graph's 32 bits: a probability of 0 costs much, not everything.
        clipped = np.clip(probabilities, np.finfo(np.float32).eps, 1.0)
        clipped /= clipped.sum(axis=1, keepdims=True)
        self._losses = -np.log(clipped[np.arange(len(self.true)), self.true])
        bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
        self._gaps = np.eye(CALIBRATION_BINS)[bins] * (right - confidence)[:, None]
        two = size == 2 and len(positive) == 1
        self._positive = places[positive[0]] if two else None
        ranked = [self._positive] if self._positive is not None else range(size)
        self._rankings = [_Ranking(probabilities[:, place], self.true == place) for place in ranked]

    def cells(self, weights: np.ndarray) -> np.ndarray:
        """Confusion matrices (weightings, true classes, predicted classes) for weights (weightings, rows)."""
        size = len(self.classes)
        cells: np.ndarray = (weights @ self._cells).reshape(-1, size, size)
        return cells

    def scores(self, weights: np.ndarray) -> np.ndarray:
        """METRICS (weightings, 8) for weights (weightings, rows)."""
        total = weights.sum(axis=1)
        cells = self.cells(weights)
        hits = np.diagonal(cells, axis1=1, axis2=2)
        true, predicted = cells.sum(axis=2), cells.sum(axis=1)
        recalls = _ratio(hits, true)
        balanced = _mean(recalls, true > 0)
        precisions = np.nan_to_num(_ratio(hits, predicted))
        f1s = np.nan_to_num(_ratio(2 * hits, true + predicted))
        if self._positive is not None:
            place = self._positive
            precision, f1 = precisions[:, place], f1s[:, place]
            recall = np.nan_to_num(recalls[:, place])
        else:
            occurs = (true + predicted) > 0
            precision, f1 = _mean(precisions, occurs), _mean(f1s, occurs)
            recall = _mean(np.nan_to_num(recalls), occurs)
        areas = np.column_stack([ranking.areas(weights) for ranking in self._rankings])
        # Guo et al. (2017), equation 3: bins' |accuracy - confidence|, weighted by their rows.
        calibration = np.abs(weights @ self._gaps).sum(axis=1) / total
        columns = (
            hits.sum(axis=1) / total,
            balanced,
            precision,
            recall,
            f1,
            _mean(areas, ~np.isnan(areas)),
            (weights @ self._losses) / total,
            calibration,
        )
        return np.column_stack(columns)


class _Ranking:
    """Area under the ROC curve as the share of pairs put in the right order, ties counting half."""

    def __init__(self, scores: np.ndarray, is_positive: np.ndarray) -> None:
        self._order = np.argsort(scores, kind="stable")
        ordered = scores[self._order]
        self._starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        self._is_positive = is_positive[self._order]

    def areas(self, weights: np.ndarray) -> np.ndarray:
        """Areas (weightings,); NaN where positives or negatives have no weight."""
        ordered = weights[:, self._order]
        all_tied = np.add.reduceat(ordered, self._starts, axis=1)
        positive_tied = np.add.reduceat(ordered * self._is_positive, self._starts, axis=1)
        negative_tied = all_tied - positive_tied
        below = np.cumsum(negative_tied, axis=1) - negative_tied
        won = (positive_tied * (below + negative_tied / 2)).sum(axis=1)
        return _ratio(won, positive_tied.sum(axis=1) * negative_tied.sum(axis=1))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    ratio: np.ndarray = np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)
    return ratio


def _mean(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Row means over the counted columns; NaN where none is."""
    return _ratio(np.where(counted, values, 0.0).sum(axis=1), counted.sum(axis=1))


def _percentiles(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """2.5 and 97.5 percentiles of each column, of the draws that could tell; NaN where none could."""
    known = [column[~np.isnan(column)] for column in drawn.T]
    bounds = [np.percentile(column, [2.5, 97.5]) if len(column) else (np.nan, np.nan) for column in known]
    return np.array([low for low, _ in bounds]), np.array([high for _, high in bounds])
