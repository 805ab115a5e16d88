"""Whether a challenger is proven better than the champion, on rows that neither has trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from loop.evaluation import Score
from loop.guards import CONFIDENCE, tripped
from loop.pairs import Drawn, Paired, draw_together
from loop.spending import critical_value, spent_at

__all__ = ["Contender", "Paired", "Rules", "Verdict", "judge"]

SMALLEST_USEFUL = 0.005
"""A gain that nobody would replace a Bento for: a challenger proven to bring no more is done with."""

POWER = 0.8
"""With the labels that a verdict asks for, a gain as large as the one seen is proven in 80 % of cases."""

LEAST_WEIGHT = 30
"""Identities below which a resample's spread is no measure of anything: no proof on fewer."""

_COUNTED_IN_ROWS = frozenset(("accuracy", "balanced_accuracy", "precision", "recall", "f1"))

_NORMAL = NormalDist()
_LEAST_KNOWN = 0.9
"""Share of resamples in which the metric can be told; with fewer, its spread is guesswork."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A challenger with the rows it is judged on."""

    name: str
    recent: Paired
    """Decides."""
    older: Paired | None
    """Guards against forgetting."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides, and what may be lost. Margins are differences of scores."""

    metric: str
    classes: tuple[str, ...]
    positive: tuple[str, ...]
    older_margin: float
    recall_margin: float
    calibration_margin: float
    false_promotions: float
    """Chance of ever promoting what is no better than one champion, over all looks at it; 0 to 1."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge says of one challenger. Differences are positive where the challenger is better."""

    challenger: str
    decision: Literal["promote", "keep", "more labels"]
    reason: str
    difference: float
    """NaN where the rows cannot tell; the bounds are then as wide as the metric."""
    low: float
    high: float
    rows: int
    look: int
    alpha: float
    """Spent at this look, over all its challengers together; one-sided."""
    labels_wanted: int | None
    """About how many more rows such as those judged on, where the decision is 'more labels'."""
    champion_scores: dict[str, Score]
    """On the recent rows; empty where there are none."""
    challenger_scores: dict[str, Score]


def judge(contenders: Sequence[Contender], rules: Rules, *, look: int, seed: int) -> tuple[Verdict, ...]:
    """Verdicts, best first; at most the first is 'promote'.

    `look` counts from 1 at each champion. Promoted is what lies above 0 by the lower bound of its paired
    difference, at the error that this look may spend over all contenders (see `loop.spending`), and trips
    no guard (see `loop.guards`). Few rows or one class never raise: the verdict is then 'more labels'.

    The bound inverts T = d / sqrt(se² + d² / n) with the bootstrap's standard error: 1,000 resamples know
    nothing of a tail of 1e-4, and this statistic's tail is below the normal's moment bound at any n where
    differences are symmetric (Efron 1969). It is Wilson's (1927) interval, for any metric. Scores that move
    in steps of a row are corrected by one step (Edwards 1948): four rows won and none lost are no proof.
    """
    alpha = spent_at(look, rules.false_promotions)
    judged = [one for one in contenders if len(one.recent)]
    drawn = (
        draw_together([one.recent for one in judged], rules.classes, rules.positive, seed=seed)
        if judged
        else []
    )
    critical = _critical(drawn, rules.metric, alpha, seed)
    verdicts = [
        _verdict(contender, one, rules, look, alpha, critical, seed)
        for contender, one in zip(judged, drawn, strict=True)
    ]
    verdicts += [_unseen(one.name, rules.metric, look, alpha) for one in contenders if not len(one.recent)]
    ranked = sorted(verdicts, key=_rank)
    return tuple(_behind(one, ranked[0]) if place else one for place, one in enumerate(ranked))


def _critical(drawn: Sequence[Drawn], metric: str, alpha: float, seed: int) -> float:
    gains = [draws for _, draws in (one.gain(metric) for one in drawn)]
    gains = [draws for draws in gains if _is_known(draws) and np.nanstd(draws) > 0]
    if len(gains) < 2:
        return -_NORMAL.inv_cdf(alpha)
    table = np.array(gains)
    table = table[:, ~np.isnan(table).any(axis=0)]
    if table.shape[1] < 2 or not (table.std(axis=1) > 0).all():
        return -_NORMAL.inv_cdf(alpha / len(gains))
    return critical_value(alpha, np.corrcoef(table), seed=seed)


def _verdict(
    contender: Contender, drawn: Drawn, rules: Rules, look: int, alpha: float, critical: float, seed: int
) -> Verdict:
    metric = rules.metric
    difference, draws = drawn.gain(metric)
    rows = len(contender.recent)
    widest = _widest(metric)
    weight = drawn.weight(metric)
    spread = float(np.nanstd(draws)) if _is_known(draws) else math.nan
    low, high, wanted = -widest, widest, None
    decision: Literal["promote", "keep", "more labels"]
    if math.isnan(difference) or math.isnan(spread):
        difference, decision = math.nan, "more labels"
        reason = f"{_counted(rows)} cannot tell its {metric}: a class is missing or too rare; more labels"
    else:
        reach = _reach(metric, spread, critical, weight)
        low, high = max(difference - reach, -widest), min(difference + reach, widest)
        said = f"{metric} {difference:+.3f} ({low:+.3f} to {high:+.3f}) on {_counted(rows)}"
        at_most = difference + _NORMAL.inv_cdf(CONFIDENCE) * spread
        if low > 0:
            loss = _guarded(contender, drawn, rules, seed)
            decision = "promote" if loss is None else "keep"
            reason = f"proven better: {said}" if loss is None else f"better by {said}, but {loss}"
        elif math.isfinite(reach) and at_most <= SMALLEST_USEFUL:
            decision, reason = "keep", f"no better than the champion by more than {SMALLEST_USEFUL:g}: {said}"
        else:
            decision = "more labels"
            least = max(LEAST_WEIGHT, 2 * critical**2) * rows / weight
            wanted = _wanted(difference, spread, critical, rows, least)
            reason = f"not proven yet: {said}; more labels: about {wanted:,} such rows"
    return Verdict(
        challenger=contender.name,
        decision=decision,
        reason=reason,
        difference=difference,
        low=low,
        high=high,
        rows=rows,
        look=look,
        alpha=alpha,
        labels_wanted=wanted,
        champion_scores=drawn.champion.named(),
        challenger_scores=drawn.challenger.named(),
    )


def _guarded(contender: Contender, recent: Drawn, rules: Rules, seed: int) -> str | None:
    older = None
    if contender.older is not None and len(contender.older):
        older = draw_together([contender.older], rules.classes, rules.positive, seed=seed)[0]
    return tripped(
        recent,
        older,
        metric=rules.metric,
        classes=rules.classes,
        older_margin=rules.older_margin,
        recall_margin=rules.recall_margin,
        calibration_margin=rules.calibration_margin,
    )


def _reach(metric: str, spread: float, critical: float, weight: float) -> float:
    """Half the interval's width; infinite where so few identities cannot prove anything."""
    # Below the critical value squared even a gain in every row may be luck.
    if weight < LEAST_WEIGHT or weight <= critical**2:
        return math.inf
    reach = critical * spread / math.sqrt(1 - critical**2 / weight)
    # Without any spread nothing differs, and there is nothing to correct.
    return reach + 1 / weight if spread > 0 and metric in _COUNTED_IN_ROWS else reach


def _wanted(difference: float, spread: float, critical: float, rows: int, least: float) -> int:
    """Rows beyond those at hand with which this difference would be proven, or proven to be useless.

    From the spread's shrinking with the square root of the rows; a gain below what is useful is taken for
    one that is to be ruled out. With those at hand at least `least`, so that a proof is possible at all.
    """
    power = _NORMAL.inv_cdf(POWER)
    if difference > SMALLEST_USEFUL / 2:
        units = (critical + power) * spread / difference
    else:
        units = (_NORMAL.inv_cdf(CONFIDENCE) + power) * spread / (SMALLEST_USEFUL - difference)
    return max(1, math.ceil(max(rows * units**2, least) - rows))


def _unseen(name: str, metric: str, look: int, alpha: float) -> Verdict:
    reason = "there is no row yet that neither it nor the champion has trained on; more labels"
    widest = _widest(metric)
    return Verdict(name, "more labels", reason, math.nan, -widest, widest, 0, look, alpha, None, {}, {})


def _rank(verdict: Verdict) -> tuple[int, float, str]:
    """Of several that are proven, the one with the largest gain; of others, the one nearest to proof."""
    if verdict.decision == "promote":
        return 0, -verdict.difference, verdict.challenger
    return 1 + (verdict.decision == "keep"), -verdict.low, verdict.challenger


def _behind(verdict: Verdict, first: Verdict) -> Verdict:
    """One promotion a look: a second that is proven too stays behind the first."""
    if verdict.decision != "promote":
        return verdict
    fields = {name: getattr(verdict, name) for name in verdict.__slots__}
    reason = f"{verdict.reason}; {first.challenger} brings more"
    return Verdict(**{**fields, "decision": "keep", "reason": reason})


def _is_known(draws: np.ndarray) -> bool:
    return bool(np.mean(~np.isnan(draws)) >= _LEAST_KNOWN)


def _widest(metric: str) -> float:
    """The largest difference there can be: of a loss, that of the smallest probability a graph gives."""
    return 16.0 if metric == "log_loss" else 1.0


def _counted(rows: int) -> str:
    return f"{rows:,} recent row{'' if rows == 1 else 's'}"
