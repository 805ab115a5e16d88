"""How good answers are before anybody told the truth: confidence-based performance estimation (CBPE).

Where a model says .8 and was right in 80 % of such cases in the reference, 80 of 100 such answers now are
expected to be right. NannyML publishes the method (nannyml.readthedocs.io, "Confidence-based Performance
Estimation"). It holds as long as the same row still means the same answer: where the concept has changed,
the estimate stays what it was. It sees changed inputs, as far as the reference has rows like them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from loop.calibration import ReferenceAnswers
from loop.evaluation import METRICS, Score, losses, positive_place
from loop.weighted import Ranking, confusion_scores, mean_of, percentiles, ratio, weightings

ESTIMATED = METRICS[:-1]
"""All but the calibration error: that the probabilities are true is what an estimate starts from."""

RESAMPLES = 400
"""An interval's end to about 5 % of its width."""

_REFITS = 20
"""Calibrations of a resampled reference; what differs among them is what the reference does not know."""

_CELLS_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class Reference:
    """Answers to rows that the model had not learned from, out of fold or held out, with the truth."""

    labels: Sequence[str]
    probabilities: np.ndarray
    """(rows, classes)"""
    identities: Sequence[str] | None = None
    """Whose each row is; None: each its own."""


def estimate(
    probabilities: np.ndarray,
    classes: Sequence[str],
    positive: Sequence[str],
    reference: Reference,
    *,
    identities: Sequence[str] | None = None,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Score]:
    """ESTIMATED scores of answers (rows, classes) whose truth nobody has told.

    Intervals of 95 % hold the score that so many such rows would show if the concept had not changed: they
    widen with few rows (identities drawn again), with unsure labels (drawn from the chances) and with a
    small reference (calibrated again on its identities drawn again). NaN where the chances cannot tell.
    Raises ValueError where there are no rows or no reference rows.
    """
    expected = _Expected(probabilities, classes, positive)
    known = ReferenceAnswers.of(reference.labels, reference.probabilities, classes)
    chances = known.calibration().chances(probabilities)
    value = expected.scores(np.ones((1, len(chances))), chances)[0]
    groups = _groups(identities, len(chances))
    drawn = np.concatenate(list(_drawn(expected, known, reference, groups, seed, resamples)))
    told = np.concatenate(list(_told(expected, chances, groups, seed + 1, resamples)))
    off = (drawn - value) + (told - value)  # apart from one another, so that neither counts twice
    top = np.where(np.array(ESTIMATED) == "log_loss", np.inf, 1.0)
    return _scores(value, np.clip(value + off, 0.0, top))


def estimate_error(
    labels: Sequence[str],
    probabilities: np.ndarray,
    classes: Sequence[str],
    positive: Sequence[str],
    reference: Reference,
    *,
    identities: Sequence[str] | None = None,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, tuple[float, Score]]:
    """The estimate on labelled rows, and how far it was off: estimated minus realised, ESTIMATED as keys.

    An interval that leaves out 0 says that the concept has changed since the reference, or that the
    rows are unlike it. Raises as `estimate`, and for a label that is none of the classes.
    """
    expected = _Expected(probabilities, classes, positive)
    known = ReferenceAnswers.of(reference.labels, reference.probabilities, classes)
    chances = known.calibration().chances(probabilities)
    places = {name: place for place, name in enumerate(classes)}
    truth = np.eye(len(classes))[[places[label] for label in labels]]
    alike = np.ones((1, len(chances)))
    estimated = expected.scores(alike, chances)[0]
    value = estimated - expected.scores(alike, truth)[0]
    groups = _groups(identities, len(chances))
    drawn = np.concatenate(list(_drawn(expected, known, reference, groups, seed, resamples, truth)))
    off = _scores(value, drawn)
    return {name: (float(estimated[place]), off[name]) for place, name in enumerate(ESTIMATED)}


class _Expected:
    """Answers, prepared once, scored against how likely each class is in each row.

    Scores are ratios of expected sums. With chances of 0 and 1 they are those of `loop.evaluation`.
    """

    def __init__(self, probabilities: np.ndarray, classes: Sequence[str], positive: Sequence[str]) -> None:
        said = np.asarray(probabilities, dtype=np.float64)
        if not len(said):
            raise ValueError("there are no rows to estimate")
        size = len(classes)
        self.said = said
        self._called = np.eye(size)[said.argmax(axis=1)]
        self._losses = losses(said)
        self._positive = positive_place(classes, positive)
        ranked = range(size) if self._positive is None else [self._positive]
        self._rankings = [(place, Ranking(said[:, place])) for place in ranked]

    def scores(self, weights: np.ndarray, chances: np.ndarray) -> np.ndarray:
        """ESTIMATED (weightings, 7) for weights (weightings, rows) and chances (rows, classes)."""
        size = chances.shape[1]
        table = (chances[:, :, None] * self._called[:, None, :]).reshape(len(chances), size * size)
        cells = (weights @ table).reshape(-1, size, size)
        areas = []
        for place, ranking in self._rankings:
            true = chances[ranking.order, place]
            ordered = weights[:, ranking.order]
            won, pairs = ranking.pairs(ordered * true, ordered)
            # A row is no pair with itself, nor with its copies in a resample.
            own = (ordered**2) @ (true * (1 - true))
            areas.append(ratio(np.maximum(won - own / 2, 0.0), pairs - own))
        loss = weights @ (chances * self._losses).sum(axis=1) / weights.sum(axis=1)
        return self._columns(cells, np.column_stack(areas), loss)

    def scores_of_labels(self, true: np.ndarray) -> np.ndarray:
        """ESTIMATED (drawings, 7) where the true class of each row is drawn: int (drawings, rows)."""
        told = [(true == place).astype(np.float64) for place in range(self._called.shape[1])]
        cells = np.stack([one @ self._called for one in told], axis=1)
        areas = [
            ratio(*ranking.pairs(told[place][:, ranking.order], np.ones_like(told[place])))
            for place, ranking in self._rankings
        ]
        loss = sum(one @ self._losses[:, place] for place, one in enumerate(told)) / true.shape[1]
        return self._columns(cells, np.column_stack(areas), np.asarray(loss))

    def _columns(self, cells: np.ndarray, areas: np.ndarray, loss: np.ndarray) -> np.ndarray:
        return np.column_stack(
            (*confusion_scores(cells, self._positive), mean_of(areas, ~np.isnan(areas)), loss)
        )


def _drawn(
    expected: _Expected,
    known: ReferenceAnswers,
    reference: Reference,
    groups: np.ndarray,
    seed: int,
    resamples: int,
    truth: np.ndarray | None = None,
) -> Iterator[np.ndarray]:
    """Estimates of resampled rows by calibrations of a resampled reference; less their truth, where known."""
    refits = min(_REFITS, resamples)
    reference_groups = _groups(reference.identities, len(reference.labels))
    weights = weightings(reference_groups, seed=seed, resamples=refits)
    for place, refit in enumerate(row for block in weights for row in block):
        chances = known.calibration(refit).chances(expected.said)
        share = resamples // refits + (place < resamples % refits)
        for resampled in weightings(groups, seed=seed + 2 + place, resamples=share):
            estimated = expected.scores(resampled, chances)
            yield estimated if truth is None else estimated - expected.scores(resampled, truth)


def _told(
    expected: _Expected, chances: np.ndarray, groups: np.ndarray, seed: int, resamples: int
) -> Iterator[np.ndarray]:
    """Scores of the rows as they are, with labels drawn from their chances.

    One lot an identity: how alike the labels of one are is not known, so they are taken to be as alike as
    their chances allow. The interval is rather too wide than too narrow.
    """
    generator = np.random.default_rng(seed)
    bounds = chances.cumsum(axis=1)[:, :-1]
    counts = int(groups.max()) + 1
    at_once = max(1, _CELLS_AT_ONCE // len(chances))
    for start in range(0, resamples, at_once):
        lots = generator.random((min(at_once, resamples - start), counts))[:, groups]
        yield expected.scores_of_labels((lots[:, :, None] > bounds).sum(axis=2))


def _scores(value: np.ndarray, drawn: np.ndarray) -> dict[str, Score]:
    low, high = percentiles(drawn)
    return {
        name: Score(float(value[i]), float(np.fmin(low[i], value[i])), float(np.fmax(high[i], value[i])))
        for i, name in enumerate(ESTIMATED)
    }


def _groups(identities: Sequence[str] | None, rows: int) -> np.ndarray:
    if identities is None:
        return np.arange(rows)
    found: np.ndarray = np.unique(np.asarray(identities, dtype=str), return_inverse=True)[1]
    return found
