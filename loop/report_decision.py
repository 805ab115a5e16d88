"""What a report leads to: one line that says what has changed and what to do."""

from __future__ import annotations

from math import nan
from typing import Literal

from loop.drift import ColumnDrift, DriftNumbers
from loop.evaluation import LOWER_IS_BETTER
from loop.triggers import Decision

Change = Literal[
    "none",  # nothing beyond luck and trifles
    "covariates",  # what is asked has changed: inputs
    "target",  # how often which answer is the true one has changed
    "answers",  # what the champion says has changed, although few inputs have
    "concept",  # inputs are alike, and what follows from them has changed: quality is proven down
    "covariates and quality",
    "unknown",  # too few rows
]

_Said = tuple[Literal["NO_ACTION", "RETRAIN", "INVESTIGATE"], Change, str]
"""Decision, what has changed, and what the reason goes on with."""


def report_decision(
    drift: DriftNumbers,
    quality: Decision | None,
    *,
    drift_share: float,
    target_drift: float,
    rows: int,
    least_rows: int,
) -> Decision:
    """NO_ACTION, RETRAIN or INVESTIGATE; the reason begins `drift_share=0.06 < 0.30 (target_drift=0.0)`.

    `quality` is that of `loop.triggers.quality_decision`; None: there was nothing to judge it by.
    `drift_share` and `target_drift` are the policy's thresholds, `rows` those of the current window. The
    target has drifted where its distance reaches the threshold and is no luck.

    Quality proven down calls for a training whatever the inputs did. Drift alone does so too, for a training
    replaces nothing that is not proven worse; but where quality is proven to hold, a person should look why.
    """
    is_covariate = drift.drift_share > 0 and drift.drift_share >= drift_share
    is_target = (
        drift.target_drift is not None
        and drift.target_drift >= target_drift
        and all(column.is_drifted for column in drift.of_group("target"))
    )
    begins = (
        f"drift_share={_compared(drift.drift_share, drift_share)} "
        f"(target_drift={'unknown' if drift.target_drift is None else _short(drift.target_drift)})"
    )
    if quality is not None and quality.should_train:
        said = _of_fallen_quality(drift, quality, is_covariate, is_target)
    elif rows < least_rows:
        said = _of_few_rows(rows, least_rows)
    elif is_covariate or is_target:
        said = _of_drift(drift, quality, is_covariate, is_target)
    else:
        said = _of_calm_inputs(drift)
    decision, change, sentence = said
    numbers: dict[str, float | int | str | None] = {
        "change": change,
        "drift_share": drift.drift_share,
        "drift_threshold": drift_share,
        "target_drift": drift.target_drift,
        "target_threshold": target_drift,
        "prediction_drift": drift.prediction_drift,
        "rows": rows,
        "least_rows": least_rows,
    }
    if quality is not None:
        numbers |= {f"quality_{name}": value for name, value in quality.numbers.items()}
    return Decision(decision, f"{begins}: {sentence}" if sentence else begins, numbers)


def _of_fallen_quality(drift: DriftNumbers, quality: Decision, is_covariate: bool, is_target: bool) -> _Said:
    if is_covariate:
        return "RETRAIN", "covariates and quality", f"inputs drifted ({_worst(drift)}), {quality.reason}"
    also = f", and the target's shares have moved ({_target(drift)})" if is_target else ""
    return "RETRAIN", "concept", f"the concept has changed: inputs are alike{also}, {quality.reason}"


def _of_few_rows(rows: int, least_rows: int) -> _Said:
    few = f"{rows:,} row{' is' if rows == 1 else 's are'} too few to tell drift, it takes {least_rows:,}"
    return "INVESTIGATE", "unknown", f"{few}; wait, or take a longer window"


def _of_drift(drift: DriftNumbers, quality: Decision | None, is_covariate: bool, is_target: bool) -> _Said:
    change: Change = "covariates" if is_covariate else "target"
    inputs, target = f"inputs drifted ({_worst(drift)})", f"the target drifted ({_target(drift)})"
    what = " and ".join([inputs] * is_covariate + [target] * is_target)
    if quality is None:
        known = "quality is unknown; train on recent rows, and give labels for them so that it can be judged"
        return "RETRAIN", change, f"{what}, and {known}"
    if holds(quality):
        known = f"quality holds: {_held(quality)}; look where these rows come from"
        return "INVESTIGATE", change, f"{what}, but {known}"
    known = f"that quality holds is not proven: {quality.reason}; train on recent rows, and label more"
    return "RETRAIN", change, f"{what}, and {known}"


def _of_calm_inputs(drift: DriftNumbers) -> _Said:
    worst = _worst(drift)
    for answers in drift.of_group("prediction"):
        if answers.is_drifted:
            few = f"few inputs did ({worst}); look at those columns" if worst else "no input did by itself"
            return "INVESTIGATE", "answers", f"the answers drifted ({_named(answers)}) although {few}"
    return "NO_ACTION", "none", f"{worst} drifted" if worst else ""


def holds(quality: Decision) -> bool:
    """Whether the whole interval of the score lies no further below the reference than the margin.

    >>> numbers = {"metric": "f1", "reference": 0.8, "margin": 0.02, "low": 0.79, "high": 0.85}
    >>> holds(Decision("NO_ACTION", "", numbers)), holds(Decision("NO_ACTION", "", numbers | {"low": 0.7}))
    (True, False)
    """
    is_loss = quality.numbers.get("metric") in LOWER_IS_BETTER
    reference, margin, worst = (
        value if isinstance(value := quality.numbers.get(name), (int, float)) else nan
        for name in ("reference", "margin", "high" if is_loss else "low")
    )
    return (worst - reference if is_loss else reference - worst) <= margin


def _held(quality: Decision) -> str:
    found = quality.numbers
    side = "above" if found["metric"] in LOWER_IS_BETTER else "below"
    interval = f"{found['metric']} {found.get('low', nan):.3f} to {found.get('high', nan):.3f}"
    return (
        f"{interval} is proven no more than {found['margin']:g} {side} its reference {found['reference']:.3f}"
    )


def _worst(drift: DriftNumbers) -> str:
    """The drifted inputs that lie furthest apart, three of them at most."""
    drifted = sorted((c for c in drift.of_group("input") if c.is_drifted), key=lambda c: -c.distance)
    named = ", ".join(_named(column) for column in drifted[:3])
    more = len(drifted) - 3
    return f"{named} and {more} more" if more > 0 else named


def _target(drift: DriftNumbers) -> str:
    return f"distance {_short(drift.target_drift or 0.0)}"


def _named(column: ColumnDrift) -> str:
    return f"{column.name} {_short(column.distance)}"


def _compared(value: float, threshold: float) -> str:
    """`0.06 < 0.30`, with as many digits as tell the two apart.

    >>> _compared(0.0625, 0.3), _compared(0.2999, 0.3), _compared(0.5, 0.5)
    ('0.06 < 0.30', '0.2999 < 0.3000', '0.50 >= 0.50')
    """
    sign = ">=" if value >= threshold else "<"
    for digits in range(2, 9):
        one, other = f"{value:.{digits}f}", f"{threshold:.{digits}f}"
        if one != other or value == threshold:
            break
    return f"{one} {sign} {other}"


def _short(value: float) -> str:
    """Two digits, the second only where it is not 0.

    >>> _short(0.0), _short(0.12), _short(0.3)
    ('0.0', '0.12', '0.3')
    """
    said = f"{value:.2f}"
    return said[:-1] if said.endswith("0") else said
