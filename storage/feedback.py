"""True answers: joined to their predictions, or kept until those are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, insert, select, update

from storage import schema
from storage.counters import chunked, count_labelled
from storage.predictions import Prediction, insert_predictions
from storage.suspensions import Suspension, hold, open_suspensions
from storage.turns import take_turn

FeedbackState = Literal[
    "pending",  # its prediction is not stored yet
    "joined",  # it is; from known_at_ms on it takes part, unless it is in quarantine
    "held",  # in quarantine since before it could take part
    "discarded",  # it was held, and a person left it out for good
]


@dataclass(frozen=True, slots=True)
class Feedback:
    """The true answer to one prediction."""

    prediction_id: str
    target: str
    source: str | None
    key: str | None
    """Makes sending it again harmless: the second of the same key and use case stores nothing."""
    received_at_ms: int
    prediction: Prediction | None
    """The prediction itself where the row came whole, to be stored with its true answer."""


@dataclass(frozen=True, slots=True)
class FeedbackReceipt:
    """What became of a batch of feedback."""

    accepted: int
    """All that was sent: what is joined, what is pending, and what an earlier key had brought already."""
    pending: int
    """Those whose predictions are not stored yet; they are joined when these are. What a suspended source
    sends is not among them: it waits for a person."""
    production_rows: int
    """Predictions of the use case ever labelled. A correction does not count again."""
    training_run: str | None
    """The training run that this batch asked for; the last where it asked for several."""


_STORED = schema.predictions
_TOLD = schema.feedback
_SUPERSEDED = (
    update(_TOLD)
    .where(
        _TOLD.c.use_case == bindparam("of_use_case"),
        _TOLD.c.prediction_id == bindparam("of_prediction"),
        _TOLD.c.superseded_at_ms.is_(None),
    )
    .values(superseded_at_ms=bindparam("at_ms"))
)


def record_feedback(
    connection: Connection, use_case: str, items: Sequence[Feedback], k: int
) -> FeedbackReceipt:
    """Stores true answers in the caller's transaction; they are durable once that is committed so.

    A later feedback for the same prediction supersedes the earlier; both are kept, and the place in the
    sequence decides within a batch. Each multiple of k that the counter of labelled predictions crosses
    asks for one training run. Right with any number of processes writing at once. Raises ValueError
    where k < 1.
    """
    take_turn(connection, use_case, alone=True)
    fresh = _without_known_keys(connection, use_case, items)
    insert_predictions(connection, [item.prediction for item in fresh if item.prediction is not None])
    suspended = _suspended(connection, use_case, fresh)
    taken = [item for item in fresh if item.source not in suspended] if suspended else fresh
    labelled = _stored_ids(connection, use_case, taken)
    _supersede(connection, use_case, taken, labelled)
    newly = [name for name, was_labelled in labelled.items() if not was_labelled]
    now_ms = max((item.received_at_ms for item in fresh), default=0)
    counted = count_labelled(connection, use_case, newly, k=k, at_ms=now_ms)
    last = {item.prediction_id: place for place, item in enumerate(fresh) if item.source not in suspended}
    rows: list[dict[str, Any]] = []
    for place, item in enumerate(fresh):
        is_joined = item.prediction_id in labelled
        state: FeedbackState = "joined" if is_joined else "pending"
        if item.source in suspended:
            state = "held"
        later = last.get(item.prediction_id, place)
        rows.append(
            {
                "use_case": use_case,
                "prediction_id": item.prediction_id,
                "target": item.target,
                "source": item.source,
                "key": item.key,
                "received_at_ms": item.received_at_ms,
                "state": state,
                "superseded_at_ms": fresh[later].received_at_ms if later > place else None,
                "known_at_ms": counted.known_at_ms if state == "joined" else None,
            }
        )
    if suspended:
        ids = connection.scalars(
            insert(_TOLD).returning(_TOLD.c.feedback_id, sort_by_parameter_order=True), rows
        )
        aside = [
            (feedback_id, suspended[item.source])
            for feedback_id, item in zip(ids.all(), fresh, strict=True)
            if item.source in suspended
        ]
        hold(connection, use_case, aside, at_ms=counted.known_at_ms)
    elif rows:
        connection.execute(insert(_TOLD), rows)
    pending = sum(row["state"] == "pending" for row in rows)
    return FeedbackReceipt(len(items), pending, counted.production_rows, counted.training_run)


def _suspended(
    connection: Connection, use_case: str, items: Sequence[Feedback]
) -> dict[str | None, Suspension]:
    """Suspended sources among the items' -> their suspensions."""
    sources = {item.source for item in items if item.source is not None}
    if not sources:
        return {}
    return {one.source: one for one in open_suspensions(connection, use_case) if one.source in sources}


def _supersede(
    connection: Connection, use_case: str, items: Sequence[Feedback], labelled: dict[str, bool]
) -> None:
    first: dict[str, Feedback] = {}
    for item in items:
        first.setdefault(item.prediction_id, item)
    # A stored prediction that is not labelled has no feedback yet that takes part: nothing to look for.
    corrected = [
        {"of_use_case": use_case, "of_prediction": name, "at_ms": item.received_at_ms}
        for name, item in first.items()
        if labelled.get(name, True)
    ]
    if corrected:
        connection.execute(_SUPERSEDED, corrected)


def _without_known_keys(connection: Connection, use_case: str, items: Sequence[Feedback]) -> list[Feedback]:
    known: set[str] = set()
    for chunk in chunked([item.key for item in items if item.key is not None]):
        of_these = select(_TOLD.c.key).where(_TOLD.c.use_case == use_case, _TOLD.c.key.in_(chunk))
        known.update(connection.scalars(of_these))
    fresh = []
    for item in items:
        if item.key is None or item.key not in known:
            fresh.append(item)
        if item.key is not None:
            known.add(item.key)
    return fresh


def _stored_ids(connection: Connection, use_case: str, items: Sequence[Feedback]) -> dict[str, bool]:
    """Ids among the items whose predictions are stored -> whether they are labelled already."""
    found: dict[str, bool] = {}
    # In the order of the items, each once.
    for chunk in chunked(dict.fromkeys(item.prediction_id for item in items)):
        of_these = select(_STORED.c.prediction_id, _STORED.c.is_labelled).where(
            _STORED.c.use_case == use_case, _STORED.c.prediction_id.in_(chunk)
        )
        found.update((name, labelled) for name, labelled in connection.execute(of_these))
    return found
