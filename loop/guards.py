"""What a challenger may not give up, however much better its deciding metric is.

A guard trips where the loss is beyond its margin on the rows at hand and not luck alone (one-sided 95 %).
Requiring proof of the whole margin would let through a model that gave up a class of thirty rows; going by
the point alone blocks one model in thirteen that is as good (240 rows of the class, margin 0.05).
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from loop.evaluation import LOWER_IS_BETTER, METRICS
from loop.pairs import Drawn

CONFIDENCE = 0.95

_ENOUGH = NormalDist().inv_cdf(CONFIDENCE)


def tripped(
    recent: Drawn,
    older: Drawn | None,
    *,
    metric: str,
    classes: tuple[str, ...],
    older_margin: float,
    recall_margin: float,
    calibration_margin: float,
) -> str | None:
    """Why the challenger may not be promoted, or None."""
    return (
        given_up(recent, classes, recall_margin)
        or miscalibrated(recent, calibration_margin)
        or (None if older is None else forgotten(recent, older, metric, older_margin))
    )


def given_up(recent: Drawn, classes: tuple[str, ...], margin: float) -> str | None:
    """Names the class whose recall fell, where that recall was more than chance.

    Recall alone can be had by calling rows that class at random: a champion that the world has left
    behind still "finds" 20 % of a class by answering it in 20 % of all rows. So the fall must also be one
    in the recall beyond the rate at which other rows are called so (informedness; Youden 1950).
    """
    falls = _recalls(recent.champion.cells) - _recalls(recent.challenger.cells)
    draws = _recalls(recent.champion.cell_draws) - _recalls(recent.challenger.cell_draws)
    never = (recent.challenger.cells.sum(axis=0) == 0) & (recent.champion.cells.sum(axis=0) > 0)
    for place, name in enumerate(classes):
        fall, informed = falls[0, place], falls[1, place]
        if np.isnan(fall) or np.isnan(informed) or min(fall, informed) <= margin:
            continue
        if never[place] or all(_is_no_luck(falls[i, place], draws[:, i, place]) for i in (0, 1)):
            before, after = (_recalls(cells)[0, place] for cells in _both(recent))
            return (
                f"it gives up the class {name!r}: recall {after:.3f} against {before:.3f}, "
                f"a fall of more than {margin:g}"
            )
    return None


def miscalibrated(recent: Drawn, margin: float) -> str | None:
    """Names the rise of the calibration error where it is too large."""
    place = METRICS.index("calibration_error")
    before, after = float(recent.champion.scores[place]), float(recent.challenger.scores[place])
    draws = recent.challenger.score_draws[:, place] - recent.champion.score_draws[:, place]
    if after - before <= margin or not _is_no_luck(after - before, draws):
        return None
    return (
        f"its probabilities are less true: calibration error {after:.3f} against {before:.3f}, "
        f"a rise of more than {margin:g}"
    )


def forgotten(recent: Drawn, older: Drawn, metric: str, margin: float) -> str | None:
    """Names the loss on older rows where it is proven to be more than the margin.

    What the champion itself lost from the older rows to the recent ones is added to the margin: where
    the world has changed, the older rows speak of one that is gone, and every right model loses there.
    """
    gain, draws = older.gain(metric)
    place = METRICS.index(metric)
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    fallen = sign * float(older.champion.scores[place] - recent.champion.scores[place])
    allowed = margin + (fallen if fallen > 0 else 0.0)
    spread = _spread(draws)
    if np.isnan(gain) or np.isnan(spread) or gain + _ENOUGH * spread >= -allowed:
        return None
    return (
        f"it forgets what was known: on older rows its {metric} is {-gain:.3f} worse, "
        f"more than the {allowed:.3f} allowed"
    )


def _both(drawn: Drawn) -> tuple[np.ndarray, np.ndarray]:
    return drawn.champion.cells, drawn.challenger.cells


def _recalls(cells: np.ndarray) -> np.ndarray:
    """(..., 2, classes): each class's recall, and its recall less the share of other rows called so."""
    hits = np.diagonal(cells, axis1=-2, axis2=-1)
    true, called = cells.sum(axis=-1), cells.sum(axis=-2)
    others = true.sum(axis=-1, keepdims=True) - true
    recall = _ratio(hits, true)
    return np.stack([recall, recall - _ratio(called - hits, others)], axis=-2)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    ratio: np.ndarray = np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)
    return ratio


def _is_no_luck(fall: float, draws: np.ndarray) -> bool:
    return fall > _ENOUGH * _spread(draws)


def _spread(draws: np.ndarray) -> float:
    known = draws[~np.isnan(draws)]
    return float(known.std()) if len(known) else float("nan")
