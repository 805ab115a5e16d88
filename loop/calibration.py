"""How often a class is true where a model says so much: probabilities mapped to shares seen in a reference.

Isotonic regression (Zadrozny and Elkan 2002) over bins of equally many rows, with straight lines between
them: a model says too much or too little of itself, but seldom ranks rows in the wrong order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MOST_BINS = 50
LEAST_ROWS_OF_A_BIN = 50


@dataclass(frozen=True)
class Curve:
    """One class's probability -> the share of reference rows of which it was true; never falling."""

    said: np.ndarray
    """float64 (bins,), rising: the mean probability of each bin."""
    true: np.ndarray
    """float64 (bins,): shares, 0 to 1."""

    def chances(self, said: np.ndarray) -> np.ndarray:
        """(rows,): beyond the first and the last bin their shares hold."""
        found: np.ndarray = np.interp(said, self.said, self.true)
        return found


@dataclass(frozen=True)
class Calibration:
    """What a model's probabilities stand for."""

    curves: tuple[Curve, ...]
    """One a class, in the classes' order."""

    def chances(self, probabilities: np.ndarray) -> np.ndarray:
        """(rows, classes): how likely each class is where the model says `probabilities`; rows add up to 1.

        Each class by itself against the rest, then made to add up. A row to which no class is left keeps
        what the model says.
        """
        said = np.asarray(probabilities, dtype=np.float64)
        each = np.column_stack([curve.chances(said[:, place]) for place, curve in enumerate(self.curves)])
        total = each.sum(axis=1, keepdims=True)
        found: np.ndarray = np.where(total > 0, each / np.where(total > 0, total, 1.0), said)
        return found


@dataclass(frozen=True)
class ReferenceAnswers:
    """A model's answers to rows it had not learned from, with the truth; binned once, calibrated often."""

    said: tuple[np.ndarray, ...]
    """Of each class: its probability (rows,)."""
    is_true: tuple[np.ndarray, ...]
    """Of each class: float64 (rows,), 1 where it is the true one."""
    bins: tuple[np.ndarray, ...]
    """Of each class: the bin of each row, int (rows,)."""

    @classmethod
    def of(cls, labels: Sequence[str], probabilities: np.ndarray, classes: Sequence[str]) -> ReferenceAnswers:
        """Raises ValueError where there are no rows. Labels beyond the classes are none of them."""
        if not len(labels):
            raise ValueError("there are no reference rows to calibrate on")
        told = np.asarray(labels, dtype=object)
        said = np.asarray(probabilities, dtype=np.float64).T
        return cls(
            said=tuple(said),
            is_true=tuple((told == name).astype(np.float64) for name in classes),
            bins=tuple(_bins(column) for column in said),
        )

    def calibration(self, weights: np.ndarray | None = None) -> Calibration:
        """The curves where each row weighs so much (rows,); None: all the same."""
        weights = np.ones(len(self.said[0])) if weights is None else weights
        return Calibration(
            tuple(
                _curve(said, is_true, bins, weights)
                for said, is_true, bins in zip(self.said, self.is_true, self.bins, strict=True)
            )
        )


def _bins(said: np.ndarray) -> np.ndarray:
    count = int(np.clip(len(said) // LEAST_ROWS_OF_A_BIN, 1, MOST_BINS))
    edges = np.unique(np.quantile(said, np.linspace(0, 1, count + 1)[1:-1]))
    return np.searchsorted(edges, said, side="right")


def _curve(said: np.ndarray, is_true: np.ndarray, bins: np.ndarray, weights: np.ndarray) -> Curve:
    rows = np.bincount(bins, weights)
    there = rows > 0  # a resample may leave a bin empty
    means = np.bincount(bins, weights * said)[there] / rows[there]
    shares = np.bincount(bins, weights * is_true)[there] / rows[there]
    return Curve(means, _never_falling(shares, rows[there]))


def _never_falling(shares: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The nearest sequence that never falls, by weighted squares: neighbours that do are pooled.

    >>> _never_falling(np.array([0.1, 0.5, 0.3, 0.9]), np.array([1.0, 1.0, 3.0, 1.0])).round(2).tolist()
    [0.1, 0.35, 0.35, 0.9]
    """
    pools: list[tuple[float, float, int]] = []  # share, rows, bins
    for share, weight in zip(shares.tolist(), rows.tolist(), strict=True):
        pool = (share, weight, 1)
        while pools and pools[-1][0] >= pool[0]:
            before = pools.pop()
            total = before[1] + pool[1]
            pool = ((before[0] * before[1] + pool[0] * pool[1]) / total, total, before[2] + pool[2])
        pools.append(pool)
    return np.repeat([pool[0] for pool in pools], [pool[2] for pool in pools])
