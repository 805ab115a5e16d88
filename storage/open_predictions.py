"""Predictions as a person looks for them: those whose truth is not known yet, and any by id or time."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Subquery, exists, or_, select

from storage import schema
from storage.predictions import COLUMNS, Prediction

_STORED = schema.predictions
_TOLD = schema.feedback

#: The open predictions that are ranked: the newest ones, found by index. Ranking all of a busy service's
#: would read every row for a page that shows one.
RANKED = 2_000


class Found(NamedTuple):
    """One stored answer, without its row and its embedding."""

    prediction_id: str
    bento: str
    predicted_at_ms: int
    label: str
    confidence: float
    """The largest probability, 0 to 1."""
    entity_id: str | None
    is_labelled: bool


_FOUND = [_STORED.c[name] for name in Found._fields]


def open_predictions(
    connection: Connection, use_case: str, *, limit: int = 20, after: str | None = None
) -> tuple[Found, ...]:
    """Answers nobody has told the truth of, least certain first, of the newest `RANKED`.

    Those whose truth was told and waits in quarantine are not among them. `after`: only those that follow
    this prediction in the order, whether it is open still or not; an unknown one is passed over.
    """
    newest = _newest(use_case)
    wanted = select(*(newest.c[name] for name in Found._fields)).where(~_is_waiting(newest))
    if after is not None:
        confidence = connection.execute(
            select(_STORED.c.confidence).where(_STORED.c.prediction_id == after)
        ).scalar()
        if confidence is not None:
            follows = (newest.c.confidence == confidence) & (newest.c.prediction_id > after)
            wanted = wanted.where(or_(newest.c.confidence > confidence, follows))
    ordered = wanted.order_by(newest.c.confidence, newest.c.prediction_id).limit(limit)
    return tuple(Found(*row) for row in connection.execute(ordered))


def next_open(connection: Connection, use_case: str, after: str | None = None) -> Prediction | None:
    """The first of `open_predictions`, whole; None: there is none."""
    first = next(iter(open_predictions(connection, use_case, limit=1, after=after)), None)
    if first is None:
        return None
    whole = select(*COLUMNS).where(_STORED.c.prediction_id == first.prediction_id)
    return Prediction(*connection.execute(whole).one())


def search_predictions(
    connection: Connection,
    use_case: str,
    *,
    text: str = "",
    since_ms: int | None = None,
    until_ms: int | None = None,
    limit: int = 50,
) -> tuple[Found, ...]:
    """Answers with this prediction id or this entity id, within the time, newest first.

    An empty text asks by time alone. `until_ms` itself is not within.
    """
    bounds: list[ColumnElement[bool]] = []
    if since_ms is not None:
        bounds.append(_STORED.c.predicted_at_ms >= since_ms)
    if until_ms is not None:
        bounds.append(_STORED.c.predicted_at_ms < until_ms)
    if not text:
        return _searched(connection, use_case, bounds, limit)
    # One index each: an OR of the two would read all of the use case.
    by_id = _searched(connection, use_case, [_STORED.c.prediction_id == text, *bounds], limit)
    return by_id or _searched(
        connection, use_case, [_STORED.c.entity_id == text, *bounds], limit, of_one=True
    )


def _searched(
    connection: Connection, use_case: str, bounds: list[ColumnElement[bool]], limit: int, of_one: bool = False
) -> tuple[Found, ...]:
    wanted = select(*_FOUND).where(_STORED.c.use_case == use_case, *bounds)
    # By an expression where an entity is asked for: SQLite would else walk the index of times, row by row.
    time = _STORED.c.predicted_at_ms + 0 if of_one else _STORED.c.predicted_at_ms
    ordered = wanted.order_by(time.desc(), _STORED.c.prediction_id).limit(limit)
    return tuple(Found(*row) for row in connection.execute(ordered))


def _newest(use_case: str) -> Subquery:
    wanted = select(*_FOUND).where(_STORED.c.use_case == use_case, ~_STORED.c.is_labelled)
    return wanted.order_by(_STORED.c.predicted_at_ms.desc()).limit(RANKED).subquery()


def _is_waiting(newest: Subquery) -> ColumnElement[bool]:
    """Whether a truth was told that a person has yet to let in."""
    told = exists().where(
        _TOLD.c.prediction_id == newest.c.prediction_id, _TOLD.c.state.in_(("held", "pending"))
    )
    return told
