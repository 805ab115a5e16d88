"""How far two windows of a column lie apart, and whether that is more than luck and more than a trifle.

Both must hold. Luck: windows of these sizes drawn from one and the same distribution lie as far apart in so
few cases that among all columns false alarms stay below their bound (Benjamini and Hochberg 1995). Trifle: at
a million rows everything differs, so a distance below the policy's is no drift however certain it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from loop.bins import Bins as Bins

Group = Literal["input", "embedding", "prediction", "target"]
Method = Literal["jensenshannon", "hellinger"]
METHOD: Method = "jensenshannon"
METHOD_NAMES: dict[str, str] = {
    "jensenshannon": "Jensen-Shannon distance, base 2",
    "hellinger": "Hellinger distance",
}

LEAST_DRAWS, MOST_DRAWS = 2_000, 10_000
_DRAWS_PER_COLUMN = 40
"""So many that one drifted column among all of them can be told: its chance must be below 0.05 / columns."""


@dataclass(frozen=True, slots=True)
class ColumnCounts:
    """One column as both windows show it."""

    name: str
    group: Group
    bins: Bins
    reference: np.ndarray
    """int (bins,)."""
    current: np.ndarray
    clustering: tuple[float, float] = (1.0, 1.0)
    """Design effects of the two windows: rows over independent rows, 1 where no two are of one identity."""


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """What became of one column."""

    name: str
    group: Group
    kind: str
    """'number' or 'category'."""
    method: str
    """A key of METHOD_NAMES."""
    distance: float
    """0: the same; 1: nothing in common."""
    threshold: float
    """The distance beyond which it counts as drifted: the policy's, or that of luck where it is larger."""
    p_value: float | None
    """How often windows of these sizes from one distribution lie as far apart; None: no rows to compare."""
    is_drifted: bool
    rows_reference: int
    rows_current: int
    note: str = ""
    """What moved most, or why nothing can be said."""


@dataclass(frozen=True, slots=True)
class DriftNumbers:
    """The drift of one window against the reference."""

    columns: tuple[ColumnDrift, ...]
    drift_share: float
    """Drifted raw feature columns / raw feature columns."""
    target_drift: float | None
    """Distance of the target's two distributions, 0 to 1; None: too few labels."""
    prediction_drift: float | None

    def of_group(self, group: Group) -> tuple[ColumnDrift, ...]:
        return tuple(column for column in self.columns if column.group == group)


def distances(reference: np.ndarray, current: np.ndarray, method: str = METHOD) -> np.ndarray:
    """Distances (...,), 0 to 1, of counts or shares (..., bins). NaN where one side counts nothing.

    Jensen-Shannon is the square root of the divergence to the base 2 (Endres and Schindelin 2003). Both
    are distances proper, take empty bins as they are, and do not depend on the order of bins.

    >>> distances(np.array([4, 0]), np.array([[0, 7], [1, 0], [2, 2]])).round(3).tolist()
    [1.0, 0.0, 0.558]
    """
    one, other = _shares(reference), _shares(current)
    if method == "hellinger":
        squared = 1.0 - np.sqrt(one * other).sum(axis=-1)
    else:
        middle = (one + other) / 2
        squared = (_entropies(one, middle) + _entropies(other, middle)) / 2
    found: np.ndarray = np.sqrt(np.clip(squared, 0.0, 1.0))
    return found


def compare(
    name: str,
    group: Group,
    bins: Bins,
    reference_counts: np.ndarray,
    current_counts: np.ndarray,
    *,
    smallest: float,
    false_alarms: float,
    method: str = METHOD,
    seed: int = 0,
) -> ColumnDrift:
    """One column alone, as `compare_columns` compares several."""
    counts = ColumnCounts(name, group, bins, reference_counts, current_counts)
    (found,) = compare_columns(
        [counts], smallest=smallest, false_alarms=false_alarms, method=method, seed=seed
    )
    return found


def compare_columns(
    columns: Sequence[ColumnCounts],
    *,
    smallest: float,
    false_alarms: float,
    method: str = METHOD,
    seed: int = 0,
) -> tuple[ColumnDrift, ...]:
    """Which of these columns drifted, judged together; in their order.

    Counts of both sizes are drawn thousands of times from the two windows pooled, which is what they would
    be if nothing had changed; Benjamini and Hochberg's rule on the chances found keeps the expected share
    of false ones among the drifted below `false_alarms`, and so, where nothing drifted, the chance of naming
    any. `smallest` is the distance from which a change matters. A column without rows on one side never
    drifts.
    """
    tested = [place for place, one in enumerate(columns) if one.reference.sum() and one.current.sum()]
    draws = int(np.clip(_DRAWS_PER_COLUMN * len(tested), LEAST_DRAWS, MOST_DRAWS))
    generators = np.random.default_rng(seed).spawn(len(columns))
    found = np.zeros(len(columns))
    by_luck: dict[int, np.ndarray] = {}
    chances = np.ones(len(columns))
    for place in tested:
        one = columns[place]
        found[place] = distances(one.reference, one.current, method)
        by_luck[place] = np.sort(_by_luck(one, draws, method, generators[place]))
        # The observed one counts among the draws (Phipson and Smyth 2010): never a chance of 0.
        chances[place] = (1 + _at_least(by_luck[place], found[place])) / (draws + 1)
    level = _level(chances[tested], false_alarms)
    # As many of the draws as may lie at or beyond a distance that is to count.
    allowed = max(0, int(level * (draws + 1) + 1e-9) - 1)
    results = []
    for place, one in enumerate(columns):
        is_tested = place in by_luck
        luck = float(by_luck[place][-1 - allowed]) if is_tested else 0.0
        results.append(
            ColumnDrift(
                name=one.name,
                group=one.group,
                kind=one.bins.kind,
                method=method,
                distance=float(found[place]),
                threshold=max(smallest, luck),
                p_value=float(chances[place]) if is_tested else None,
                is_drifted=is_tested and bool(chances[place] <= level and found[place] >= smallest),
                rows_reference=int(one.reference.sum()),
                rows_current=int(one.current.sum()),
                note=_what_moved(one) if is_tested else _why_not(one),
            )
        )
    return tuple(results)


def _level(chances: np.ndarray, false_alarms: float) -> float:
    """The largest chance that counts as no luck (Benjamini and Hochberg 1995, their procedure (1))."""
    if not len(chances):
        return false_alarms
    steps = false_alarms * np.arange(1, len(chances) + 1) / len(chances)
    passed = np.flatnonzero(np.sort(chances) <= steps)
    return float(steps[passed[-1]] if len(passed) else steps[0])


def _by_luck(one: ColumnCounts, draws: int, method: str, generator: np.random.Generator) -> np.ndarray:
    """Distances (draws,) of two windows of these sizes from one distribution, that of both together.

    Rows of one identity are no new evidence: a window counts as its rows over its design effect (Rao and
    Scott 1981, with the effect of rows that repeat each other wholly, the most there can be).
    """
    pooled = (one.reference + one.current).astype(np.float64)
    occurring = pooled > 0
    shares = pooled[occurring] / pooled.sum()
    sides = []
    for counts, effect in zip((one.reference, one.current), one.clustering, strict=True):
        size = max(1, round(counts.sum() / effect))
        sides.append(generator.multinomial(size, shares, size=draws))
    return distances(sides[0], sides[1], method)


def _at_least(ordered: np.ndarray, value: float) -> int:
    return int(len(ordered) - np.searchsorted(ordered, value - 1e-12, side="left"))


def _shares(counts: np.ndarray) -> np.ndarray:
    counts = np.asarray(counts, dtype=np.float64)
    total = counts.sum(axis=-1, keepdims=True)
    shares: np.ndarray = np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
    return shares


def _entropies(shares: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Relative entropies (...,) in bits; an empty bin adds nothing."""
    ratio = np.divide(shares, middle, out=np.ones(middle.shape), where=shares > 0)
    summed: np.ndarray = (shares * np.log2(ratio)).sum(axis=-1)
    return summed


def _what_moved(one: ColumnCounts) -> str:
    before, now = _shares(one.reference), _shares(one.current)
    place = int(np.argmax(np.abs(now - before)))
    if before[place] == now[place]:
        return ""
    return f"{one.bins.names[place]}: {before[place]:.1%} of rows before, {now[place]:.1%} now"


def _why_not(one: ColumnCounts) -> str:
    side = "current window" if one.reference.sum() else "reference"
    return f"the {side} has no rows to compare"
