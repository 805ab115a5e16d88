"""How good probabilities are: eight scores, each with a bootstrap interval, and the confusion matrix.

Every score is computed for many weightings of the rows at once; the value itself is the one in which all
rows weigh 1. A resample draws identities, not rows, because rows of one person are not independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loop.weighted import Ranking, confusion_scores, mean_of, percentiles, ratio, weightings

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
    drawn = [answers.scores(weights) for weights in weightings(groups, seed=seed, resamples=resamples)]
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
    low, high = percentiles(drawn)
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


def positive_place(classes: Sequence[str], positive: Sequence[str]) -> int | None:
    """Where the class of interest stands among two; None: scores are means over classes."""
    return list(classes).index(positive[0]) if len(classes) == 2 and len(positive) == 1 else None


def losses(probabilities: np.ndarray) -> np.ndarray:
    """(rows, classes): the log loss of each row if that class were the true one."""
    # The smallest step of the graph's 32 bits: a probability of 0 costs much, not everything.
    clipped = np.clip(probabilities, np.finfo(np.float32).eps, 1.0)
    found: np.ndarray = -np.log(clipped / clipped.sum(axis=1, keepdims=True))
    return found


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
        self._losses = losses(probabilities)[np.arange(len(self.true)), self.true]
        bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
        self._gaps = np.eye(CALIBRATION_BINS)[bins] * (right - confidence)[:, None]
        self._positive = positive_place(self.classes, positive)
        ranked = [self._positive] if self._positive is not None else range(size)
        rankings = [(Ranking(probabilities[:, place]), self.true == place) for place in ranked]
        self._rankings = [(ranking, is_true[ranking.order]) for ranking, is_true in rankings]

    def cells(self, weights: np.ndarray) -> np.ndarray:
        """Confusion matrices (weightings, true classes, predicted classes) for weights (weightings, rows)."""
        size = len(self.classes)
        cells: np.ndarray = (weights @ self._cells).reshape(-1, size, size)
        return cells

    def scores(self, weights: np.ndarray) -> np.ndarray:
        """METRICS (weightings, 8) for weights (weightings, rows)."""
        total = weights.sum(axis=1)
        areas = np.column_stack([_areas(weights, *ranking) for ranking in self._rankings])
        # Guo et al. (2017), equation 3: bins' |accuracy - confidence|, weighted by their rows.
        calibration = np.abs(weights @ self._gaps).sum(axis=1) / total
        columns = (
            *confusion_scores(self.cells(weights), self._positive),
            mean_of(areas, ~np.isnan(areas)),
            (weights @ self._losses) / total,
            calibration,
        )
        return np.column_stack(columns)


def _areas(weights: np.ndarray, ranking: Ranking, is_positive: np.ndarray) -> np.ndarray:
    """Areas (weightings,); NaN where positives or negatives have no weight."""
    ordered = weights[:, ranking.order]
    return ratio(*ranking.pairs(ordered * is_positive, ordered))
