"""What the pages show at a glance, each by one query on an index."""

from __future__ import annotations

from dataclasses import fields
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from storage import schema
from storage.versions import StageChange

_TOLD = schema.feedback
_STORED = schema.predictions
_CHANGES = schema.stage_changes
_SET_ASIDE = schema.quarantine
_CHANGE_COLUMNS = [_CHANGES.c[field.name] for field in fields(StageChange)]


class Realised(NamedTuple):
    """One answer whose truth came."""

    known_at_ms: int
    is_right: bool
    bento: str
    """The one that answered."""


class Told(NamedTuple):
    """The last true answer given to a prediction."""

    target: str
    received_at_ms: int
    state: str
    """See `storage.feedback.FeedbackState`."""


def realised(connection: Connection, use_case: str, limit: int) -> tuple[Realised, ...]:
    """The last `limit` answers whose truth is known, oldest of them first.

    Without those in quarantine and those that a later truth replaced, even where the later one is in
    quarantine now.
    """
    in_quarantine = select(_SET_ASIDE.c.feedback_id).where(
        _SET_ASIDE.c.use_case == use_case, _SET_ASIDE.c.released_at_ms.is_(None)
    )
    wanted = (
        select(_TOLD.c.known_at_ms, _TOLD.c.target == _STORED.c.label, _STORED.c.bento)
        .join_from(_TOLD, _STORED, _TOLD.c.prediction_id == _STORED.c.prediction_id)
        .where(
            _TOLD.c.use_case == use_case,
            _TOLD.c.known_at_ms.is_not(None),
            _TOLD.c.state == "joined",
            _TOLD.c.superseded_at_ms.is_(None),
            _TOLD.c.feedback_id.not_in(in_quarantine),
        )
        .order_by(_TOLD.c.known_at_ms.desc(), _TOLD.c.feedback_id.desc())
        .limit(limit)
    )
    newest = [Realised(known, bool(right), bento) for known, right, bento in connection.execute(wanted)]
    return tuple(reversed(newest))


def predictions_since(connection: Connection, use_case: str, since_ms: int) -> int:
    """How many answers were stored since an instant."""
    wanted = select(func.count()).where(_STORED.c.use_case == use_case, _STORED.c.predicted_at_ms >= since_ms)
    return int(connection.execute(wanted).scalar_one())


def last_move_to_production(connection: Connection, use_case: str) -> StageChange | None:
    """How the champion came to Production: when, by whom and why."""
    wanted = select(*_CHANGE_COLUMNS).where(
        _CHANGES.c.use_case == use_case, _CHANGES.c.to_stage == "Production"
    )
    row = connection.execute(wanted.order_by(_CHANGES.c.id.desc()).limit(1)).first()
    return None if row is None else StageChange(*row)


def told_of(connection: Connection, prediction_id: str) -> Told | None:
    """The last true answer to a prediction; None: nobody has told yet."""
    wanted = select(_TOLD.c.target, _TOLD.c.received_at_ms, _TOLD.c.state).where(
        _TOLD.c.prediction_id == prediction_id
    )
    row = connection.execute(wanted.order_by(_TOLD.c.feedback_id.desc()).limit(1)).first()
    return None if row is None else Told(*row)


def in_quarantine(connection: Connection, use_case: str) -> int:
    """How many true answers are set aside and wait for a person."""
    wanted = select(func.count()).where(
        _SET_ASIDE.c.use_case == use_case,
        _SET_ASIDE.c.released_at_ms.is_(None),
        _SET_ASIDE.c.discarded_at_ms.is_(None),
    )
    return int(connection.execute(wanted).scalar_one())
