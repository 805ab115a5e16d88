"""What rows are worth under many weightings at once: resamples, confusion, ranking."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_CELLS_AT_ONCE = 4_000_000
"""Weights held at a time (32 MB), whatever the number of rows."""


def weightings(groups: np.ndarray, *, seed: int, resamples: int) -> Iterator[np.ndarray]:
    """Weights (some of the resamples, rows) under which identities are drawn again, in blocks.

    `groups` int (rows,): which identity each row is of, counted from 0. All rows of one weigh the same.
    """
    counts, rows = int(groups.max()) + 1, len(groups)
    generator = np.random.default_rng(seed)
    chance = np.full(counts, 1 / counts)
    at_once = max(1, _CELLS_AT_ONCE // max(rows, 1))
    for start in range(0, resamples, at_once):
        weights = generator.multinomial(counts, chance, size=min(at_once, resamples - start))
        yield weights[:, groups].astype(np.float64)


def confusion_scores(cells: np.ndarray, positive: int | None) -> tuple[np.ndarray, ...]:
    """Accuracy, balanced accuracy, precision, recall and F1, each (weightings,).

    `cells` are confusion matrices (weightings, true classes, predicted classes). Precision, recall and F1
    are of the class at `positive`; None: the plain mean over classes that occur.
    """
    hits = np.diagonal(cells, axis1=1, axis2=2)
    true, predicted = cells.sum(axis=2), cells.sum(axis=1)
    recalls = ratio(hits, true)
    balanced = mean_of(recalls, true > 0)
    precisions = np.nan_to_num(ratio(hits, predicted))
    f1s = np.nan_to_num(ratio(2 * hits, true + predicted))
    if positive is not None:
        precision, f1 = precisions[:, positive], f1s[:, positive]
        recall = np.nan_to_num(recalls[:, positive])
    else:
        occurs = (true + predicted) > 0
        precision, f1 = mean_of(precisions, occurs), mean_of(f1s, occurs)
        recall = mean_of(np.nan_to_num(recalls), occurs)
    return ratio(hits.sum(axis=1), true.sum(axis=1)), balanced, precision, recall, f1


class Ranking:
    """Area under the ROC curve as the share of pairs put in the right order, ties counting half."""

    def __init__(self, scores: np.ndarray) -> None:
        self.order = np.argsort(scores, kind="stable")
        """Rows from the lowest score on; weights are given in this order."""
        ordered = scores[self.order]
        self._starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])

    def pairs(self, positive: np.ndarray, everyone: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights of the pairs won, and of all pairs of a positive and a negative row: (weightings,) each.

        `positive` (weightings, rows): how much of each row's weight is positive; `everyone`: all of it.
        """
        all_tied = np.add.reduceat(everyone, self._starts, axis=1)
        positive_tied = np.add.reduceat(positive, self._starts, axis=1)
        negative_tied = all_tied - positive_tied
        below = np.cumsum(negative_tied, axis=1) - negative_tied
        won = (positive_tied * (below + negative_tied / 2)).sum(axis=1)
        return won, positive_tied.sum(axis=1) * negative_tied.sum(axis=1)


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole; NaN where the whole is not above 0."""
    found: np.ndarray = np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)
    return found


def mean_of(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Row means over the counted columns; NaN where none is."""
    return ratio(np.where(counted, values, 0.0).sum(axis=1), counted.sum(axis=1))


def percentiles(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """2.5 and 97.5 percentiles of each column, of the draws that could tell; NaN where none could."""
    known = [column[~np.isnan(column)] for column in drawn.T]
    bounds = [np.percentile(column, [2.5, 97.5]) if len(column) else (np.nan, np.nan) for column in known]
    return np.array([low for low, _ in bounds]), np.array([high for _, high in bounds])
