"""When to train: each rule gives its answer and the reason in a sentence."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from loop.evaluation import LOWER_IS_BETTER, RESAMPLES, evaluate

PERSON = "person"
"""The trigger of a run that a person asked for."""

LEAST_ROWS = 50
"""Labelled rows, and 10 of each of two classes: with fewer an interval is as wide as the scale."""
_LEAST_OF_A_CLASS = 10

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS


@dataclass(frozen=True, slots=True)
class Decision:
    """What a look at the numbers led to."""

    decision: Literal["NO_ACTION", "RETRAIN", "INVESTIGATE"]
    reason: str
    numbers: dict[str, float | int | str | None] = field(default_factory=dict)
    """What the reason speaks of, as JSON can carry it."""

    @property
    def should_train(self) -> bool:
        return self.decision == "RETRAIN"


def quality_decision(
    metric: str,
    reference: float,
    labels: Sequence[str],
    probabilities: np.ndarray,
    classes: Sequence[str],
    positive: Sequence[str],
    *,
    margin: float,
    identities: Sequence[str] | None = None,
    seed: int,
    resamples: int = RESAMPLES,
) -> Decision:
    """RETRAIN where the champion's realised score is proven to be worse than its reference by the margin.

    `reference` is its score on rows it had not learned from when it was built; labels (rows,) and the
    probabilities (rows, classes) it answered then are those of the recent labelled window. The whole 95 %
    interval must lie beyond reference and margin: a point below them is what every tenth window shows.
    """
    numbers: dict[str, float | int | str | None] = {"metric": metric, "rows": len(labels), "margin": margin}
    if math.isnan(reference):
        return Decision("NO_ACTION", f"the champion has no reference for its {metric}", numbers)
    numbers["reference"] = reference
    counts = sorted((list(labels).count(name) for name in classes), reverse=True)
    if len(labels) < LEAST_ROWS or len(counts) < 2 or counts[1] < _LEAST_OF_A_CLASS:
        return Decision(
            "NO_ACTION",
            f"{len(labels):,} labelled rows are too few to tell the quality: it takes {LEAST_ROWS}, and "
            f"{_LEAST_OF_A_CLASS} of each of two classes",
            numbers,
        )
    scores = evaluate(
        labels, probabilities, classes, positive, identities=identities, seed=seed, resamples=resamples
    ).scores
    found = scores[metric]
    numbers |= {"value": found.value, "low": found.low, "high": found.high}
    is_loss = metric in LOWER_IS_BETTER
    bound = reference + margin if is_loss else reference - margin
    side = "above" if is_loss else "below"
    said = f"{metric} {found} on {len(labels):,} recent labelled rows"
    if (found.low > bound) if is_loss else (found.high < bound):
        return Decision(
            "RETRAIN", f"{said} is {side} its reference {reference:.3f} by more than {margin:g}", numbers
        )
    return Decision(
        "NO_ACTION", f"{said} is not proven {side} its reference {reference:.3f} by {margin:g}", numbers
    )


def schedule_decision(schedule_hours: float | None, last_ended_at_ms: int | None, now_ms: int) -> Decision:
    """RETRAIN where so many hours have passed since the last run ended; never had one: not by schedule."""
    if schedule_hours is None:
        return Decision("NO_ACTION", "there is no schedule")
    if last_ended_at_ms is None:
        return Decision("NO_ACTION", "no run has ended yet; the schedule counts from the first")
    passed = (now_ms - last_ended_at_ms) / _HOUR_MS
    numbers: dict[str, float | int | str | None] = {"hours": passed, "schedule_hours": schedule_hours}
    said = f"{passed:.1f} hours since the last run"
    if passed >= schedule_hours:
        return Decision("RETRAIN", f"{said}, scheduled every {schedule_hours:g}", numbers)
    return Decision("NO_ACTION", f"{said}, fewer than the scheduled {schedule_hours:g}", numbers)


def may_start(
    trigger: str,
    *,
    is_paused: bool,
    is_running: bool,
    last_ended_at_ms: int | None,
    cooldown_minutes: float,
    now_ms: int,
) -> tuple[bool, str]:
    """Whether a waiting run may start now, and why (not).

    One run at a time, whoever asks. What a person asks for passes the cool-down and the pause.

    >>> may_start("feedback", is_paused=True, is_running=False, last_ended_at_ms=None,
    ...           cooldown_minutes=1, now_ms=0)
    (False, 'automation is paused; `rebento resume` ends that')
    >>> may_start("feedback", is_paused=False, is_running=False, last_ended_at_ms=0,
    ...           cooldown_minutes=2, now_ms=90_000)
    (False, 'the last run ended at 00:00:00 UTC; it rests for 120 s')
    """
    if is_running:
        return False, "another run is at work; one at a time"
    if trigger == PERSON:
        although = " although automation is paused" if is_paused else ""
        return True, f"a person asked for it{although}"
    if is_paused:
        return False, "automation is paused; `rebento resume` ends that"
    if last_ended_at_ms is not None and now_ms - last_ended_at_ms < cooldown_minutes * _MINUTE_MS:
        # The same words at every look: who logs them says them once.
        ended = datetime.datetime.fromtimestamp(last_ended_at_ms / 1000, datetime.UTC)
        return False, f"the last run ended at {ended:%H:%M:%S} UTC; it rests for {cooldown_minutes * 60:g} s"
    return True, f"{trigger} asked for it and nothing stands against it"
