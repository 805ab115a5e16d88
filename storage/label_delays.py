"""How long true answers take: delays from prediction to feedback, and the share told by age."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, func, select

from storage import schema
from storage.counters import last_known_at_ms
from storage.labelled import takes_part

_STORED = schema.predictions
_TOLD = schema.feedback
_HOUR_MS = 3_600_000

QUANTILES = (0.1, 0.5, 0.9)

AGES_HOURS = (1.0, 24.0, 7 * 24.0, 30 * 24.0)
"""Upper ends of the ages by which coverage is told; the last group is older than all of them."""

_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class CoverageOfAge:
    """Predictions of about one age."""

    from_hours: float
    to_hours: float | None
    """None: and older."""
    rows: int
    labelled: int

    @property
    def coverage(self) -> float | None:
        """The share told, 0 to 1; None where there are no rows."""
        return self.labelled / self.rows if self.rows else None


@dataclass(frozen=True, slots=True)
class LabelDelays:
    """How the truth came in to the predictions of a stretch of time."""

    rows: int
    """Predictions that were asked for; rows that came whole with their truth waited for none."""
    labelled: int
    quantile_hours: dict[float, float]
    """QUANTILES of the delay of those told, hours; empty where none is. Of young predictions only the
    quick truths have come, so these are too short: see `by_age`."""
    by_age: tuple[CoverageOfAge, ...]
    """From young to old."""


def label_delays(
    connection: Connection, use_case: str, *, from_ms: int, before_ms: int, at_ms: int
) -> LabelDelays:
    """Of the predictions from an instant until before another, as known now; their age is that at `at_ms`.

    The first feedback that takes part counts: pending, held and quarantined ones do not. One query by the
    time index; 16 bytes of memory a prediction.
    """
    told = _TOLD.c.prediction_id == _STORED.c.prediction_id
    counts = takes_part(_TOLD, use_case, None, last_known_at_ms(connection, use_case))
    wanted = (
        select(_STORED.c.predicted_at_ms, func.min(_TOLD.c.received_at_ms))
        .select_from(_STORED)
        .outerjoin(_TOLD, told & counts)
        .where(
            _STORED.c.use_case == use_case,
            _STORED.c.predicted_at_ms >= from_ms,
            _STORED.c.predicted_at_ms < before_ms,
            _STORED.c.origin == "request",
        )
        .group_by(_STORED.c.prediction_id, _STORED.c.predicted_at_ms)
    )
    parts = []
    with connection.execute(wanted, execution_options={"yield_per": _AT_ONCE}) as rows:
        for part in rows.partitions():
            parts.append(
                np.array([(at, -1 if first is None else first) for at, first in part], dtype=np.int64)
            )
    found = np.concatenate(parts) if parts else np.zeros((0, 2), dtype=np.int64)
    return _delays(predicted=found[:, 0], first=found[:, 1], at_ms=at_ms)


def _delays(predicted: np.ndarray, first: np.ndarray, at_ms: int) -> LabelDelays:
    is_told = first >= 0
    # Feedback may be here before its prediction is stored, by the service's own delay: that is no delay.
    hours = np.maximum(first[is_told] - predicted[is_told], 0) / _HOUR_MS
    quantiles = (
        dict(zip(QUANTILES, np.quantile(hours, QUANTILES).tolist(), strict=True)) if len(hours) else {}
    )
    groups = np.searchsorted(AGES_HOURS, (at_ms - predicted) / _HOUR_MS, side="right")
    counts = len(AGES_HOURS) + 1
    rows = np.bincount(groups, minlength=counts).tolist()
    labelled = np.bincount(groups[is_told], minlength=counts).tolist()
    bounds = (0.0, *AGES_HOURS, None)
    return LabelDelays(
        rows=len(predicted),
        labelled=int(is_told.sum()),
        quantile_hours=quantiles,
        by_age=tuple(
            CoverageOfAge(bounds[place] or 0.0, bounds[place + 1], rows[place], labelled[place])
            for place in range(counts)
        ),
    )
