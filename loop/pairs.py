"""Two models' answers to the same rows, scored side by side under the same resamples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loop.evaluation import LOWER_IS_BETTER, METRICS, Answers, Score, scores_of

RESAMPLES = 500
"""Only standard errors and correlations are taken from them; 500 give an error to about 3 % of itself."""

_CELLS_AT_ONCE = 4_000_000

_AVERAGED_OVER_CLASSES = frozenset(("balanced_accuracy", "precision", "recall", "f1", "roc_auc"))


@dataclass(frozen=True, slots=True)
class Paired:
    """Labelled rows that neither model has trained on, with the answers of both."""

    labels: np.ndarray
    """str (rows,), each one of the rules' classes."""
    identities: np.ndarray
    """str (rows,): whose each row is; these are resampled, not rows."""
    champion: np.ndarray
    """(rows, classes) probabilities."""
    challenger: np.ndarray
    """(rows, classes) probabilities."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Scored:
    """One model on one contender's rows: as they are, and under each resample."""

    scores: np.ndarray
    """METRICS (8,)."""
    score_draws: np.ndarray
    """METRICS (resamples, 8)."""
    cells: np.ndarray
    """Confusion matrix (classes, classes); outer: true."""
    cell_draws: np.ndarray
    """(resamples, classes, classes)."""

    def named(self) -> dict[str, Score]:
        return scores_of(self.scores, self.score_draws)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Both models on one contender's rows."""

    champion: Scored
    challenger: Scored
    identities: int
    class_identities: np.ndarray
    """(classes,): how many identities have a row of it."""

    def gain(self, metric: str) -> tuple[float, np.ndarray]:
        """How much better the challenger is, and under each resample; for losses too, positive is better."""
        place = METRICS.index(metric)
        sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
        value = sign * float(self.challenger.scores[place] - self.champion.scores[place])
        return value, sign * (self.challenger.score_draws[:, place] - self.champion.score_draws[:, place])

    def weight(self, metric: str) -> float:
        """How many evenly spread identities these are worth for the metric.

        A mean over classes is as unsure as its rarest class: K² / sum(1 / n_k), which is n where the
        classes are equally common.
        """
        there = self.class_identities[self.class_identities > 0]
        if metric not in _AVERAGED_OVER_CLASSES or not len(there):
            return float(self.identities)
        return float(min(self.identities, len(there) ** 2 / (1.0 / there).sum()))


def draw_together(
    pairs: Sequence[Paired], classes: Sequence[str], positive: Sequence[str], *, seed: int
) -> list[Drawn]:
    """Each contender's rows scored under the same resamples of the identities of all of them.

    An identity that several contenders are judged on has one weight for all, and for both models: what
    is common to them cancels out. Raises ValueError where a contender has no rows.
    """
    everyone, places = np.unique(
        np.concatenate([one.identities for one in pairs]).astype(str), return_inverse=True
    )
    groups = np.split(places, np.cumsum([len(one) for one in pairs])[:-1])
    models = [
        Answers(one.labels.tolist(), answers, classes, positive)
        for one in pairs
        for answers in (one.champion, one.challenger)
    ]
    generator = np.random.default_rng(seed)
    scores: list[list[np.ndarray]] = [[] for _ in models]
    cells: list[list[np.ndarray]] = [[] for _ in models]
    widest = max(len(everyone), *(len(one) for one in pairs))
    at_once = max(1, min(RESAMPLES, _CELLS_AT_ONCE // widest))
    for start in range(0, RESAMPLES, at_once):
        counts = _multiplicities(generator, min(at_once, RESAMPLES - start), len(everyone))
        for place, model in enumerate(models):
            weights = counts[:, groups[place // 2]]
            scores[place].append(model.scores(weights))
            cells[place].append(model.cells(weights))
    scored = [_scored(model, scores[place], cells[place]) for place, model in enumerate(models)]
    return [
        Drawn(
            champion=scored[2 * contender],
            challenger=scored[2 * contender + 1],
            identities=len(np.unique(group)),
            class_identities=_identities_by_class(models[2 * contender].true, group, len(classes)),
        )
        for contender, group in enumerate(groups)
    ]


def _scored(model: Answers, scores: list[np.ndarray], cells: list[np.ndarray]) -> Scored:
    alike = np.ones((1, len(model.true)))
    return Scored(
        model.scores(alike)[0], np.concatenate(scores), model.cells(alike)[0], np.concatenate(cells)
    )


def _multiplicities(generator: np.random.Generator, resamples: int, size: int) -> np.ndarray:
    """float64 (resamples, size): how often each of `size` identities is drawn in `size` draws."""
    drawn = generator.integers(0, size, (resamples, size)) + np.arange(resamples)[:, None] * size
    return np.bincount(drawn.ravel(), minlength=resamples * size).reshape(resamples, size).astype(np.float64)


def _identities_by_class(true: np.ndarray, group: np.ndarray, classes: int) -> np.ndarray:
    return np.array([len(np.unique(group[true == place])) for place in range(classes)])
