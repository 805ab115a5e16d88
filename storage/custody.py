"""The moves of feedback into quarantine and out of it; `storage.quarantine` is what callers want."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, exists, insert, select, update

from storage import schema
from storage.counters import chunked, count_labelled, known_instant

_TABLE = schema.quarantine
_TOLD = schema.feedback
#: Waits for a person.
IS_OPEN = _TABLE.c.released_at_ms.is_(None) & _TABLE.c.discarded_at_ms.is_(None)
# Also what was discarded: that stays out for good.
_IS_OUT = exists().where(_TABLE.c.feedback_id == _TOLD.c.feedback_id, _TABLE.c.released_at_ms.is_(None))


def set_aside(
    connection: Connection,
    use_case: str,
    which: Iterable[ColumnElement[bool]],
    suspension_id: int | None,
    reason: str,
    known_ms: int,
) -> int:
    """Quarantines the feedback that is in none yet, from `known_ms` on; how many."""
    wanted = select(_TOLD.c.feedback_id, _TOLD.c.state == "pending").where(
        _TOLD.c.use_case == use_case, _TOLD.c.state.in_(("pending", "joined")), ~_IS_OUT, *which
    )
    told = {"use_case": use_case, "suspension_id": suspension_id, "reason": reason}
    rows: list[dict[str, Any]] = [
        told | {"feedback_id": feedback_id, "is_held": is_pending, "quarantined_at_ms": known_ms}
        for feedback_id, is_pending in connection.execute(wanted.order_by(_TOLD.c.feedback_id))
    ]
    if rows:
        connection.execute(insert(_TABLE), rows)
    _change_state(connection, [row["feedback_id"] for row in rows if row["is_held"]], "held")
    return len(rows)


def release(
    connection: Connection, use_case: str, which: ColumnElement[bool], actor: str, k: int, at_ms: int
) -> tuple[int, str | None]:
    """Lets quarantined feedback take part; how many, and the last training run that this asked for."""
    waiting = _waiting(connection, use_case, which)
    is_stored = {
        feedback_id: (prediction_id, stored)
        for feedback_id, (prediction_id, is_held, stored) in waiting.items()
        if is_held
    }
    joined = [feedback_id for feedback_id, (_, stored) in is_stored.items() if stored]
    newly = dict.fromkeys(prediction_id for prediction_id, stored in is_stored.values() if stored)
    counted = count_labelled(connection, use_case, newly, k=k, at_ms=at_ms)
    _change_state(connection, joined, "joined", known_at_ms=counted.known_at_ms)
    _change_state(connection, [name for name, (_, stored) in is_stored.items() if not stored], "pending")
    _supersede(connection, {name for name, _ in is_stored.values()}, counted.known_at_ms)
    _close(connection, list(waiting), released_at_ms=counted.known_at_ms, actor=actor)
    return len(waiting), counted.training_run


def discard(connection: Connection, use_case: str, which: ColumnElement[bool], actor: str, at_ms: int) -> int:
    """Leaves quarantined feedback out for good; how many."""
    waiting = _waiting(connection, use_case, which)
    held = [feedback_id for feedback_id, (_, is_held, _) in waiting.items() if is_held]
    _change_state(connection, held, "discarded")
    known_ms = known_instant(connection, use_case, at_ms)
    _close(connection, list(waiting), discarded_at_ms=known_ms, actor=actor)
    return len(waiting)


def _waiting(
    connection: Connection, use_case: str, which: ColumnElement[bool]
) -> dict[int, tuple[str, bool, bool]]:
    """Feedback ids that wait for a person -> prediction id, never took part, prediction is stored."""
    stored = schema.predictions
    wanted = (
        select(
            _TABLE.c.feedback_id,
            _TOLD.c.prediction_id,
            _TOLD.c.state == "held",
            stored.c.prediction_id.is_not(None),
        )
        .join_from(_TABLE, _TOLD, _TABLE.c.feedback_id == _TOLD.c.feedback_id)
        .outerjoin(stored, _TOLD.c.prediction_id == stored.c.prediction_id)
        .where(_TABLE.c.use_case == use_case, IS_OPEN, which)
        .order_by(_TABLE.c.feedback_id)
    )
    return {row[0]: (row[1], bool(row[2]), bool(row[3])) for row in connection.execute(wanted)}


def _supersede(connection: Connection, prediction_ids: Collection[str], at_ms: int) -> None:
    """Marks feedback that has a later one: what was released may be either."""
    later = _TOLD.alias("later")
    has_later = exists().where(
        later.c.prediction_id == _TOLD.c.prediction_id,
        later.c.feedback_id > _TOLD.c.feedback_id,
        later.c.state.in_(("pending", "joined")),
    )
    for chunk in chunked(prediction_ids):
        marked = update(_TOLD).where(
            _TOLD.c.prediction_id.in_(chunk), _TOLD.c.superseded_at_ms.is_(None), has_later
        )
        connection.execute(marked.values(superseded_at_ms=at_ms))


def _change_state(
    connection: Connection,
    feedback_ids: Sequence[int],
    state: Literal["pending", "joined", "held", "discarded"],
    **more: int,
) -> None:
    for chunk in chunked(feedback_ids):
        changed = update(_TOLD).where(_TOLD.c.feedback_id.in_(chunk))
        connection.execute(changed.values(state=state, **more))


def _close(connection: Connection, feedback_ids: Sequence[int], **values: int | str) -> None:
    for chunk in chunked(feedback_ids):
        closed = update(_TABLE).where(_TABLE.c.feedback_id.in_(chunk), IS_OPEN)
        connection.execute(closed.values(**values))
