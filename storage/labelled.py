"""The labelled production rows, as known now or at an instant: history does not change under a run.

Of the feedback on one prediction the last that takes part counts. It takes part from the instant on at
which it and its prediction were stored, and not while it is in quarantine. Instants never run backwards in
the order of commits (`storage.counters`), so at a settled instant nothing can be added any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Exists,
    FromClause,
    Select,
    case,
    exists,
    func,
    insert,
    literal,
    select,
    text,
    update,
)

from storage import schema
from storage.counters import known_instant, last_known_at_ms
from storage.predictions import COLUMNS, Prediction
from storage.turns import take_turn

_TOLD = schema.feedback
_SET_ASIDE = schema.quarantine
_SETTLED = text("UPDATE counters SET last_known_at_ms = :next_ms WHERE use_case = :use_case")


class LabelledRow(NamedTuple):
    """A production row with its true answer."""

    prediction: Prediction
    target: str
    source: str | None
    known_at_ms: int
    """When its answer and its truth were both stored, or when it was released from quarantine."""
    feedback_id: int


def labelled_rows(
    connection: Connection, use_case: str, *, as_of_ms: int | None = None, batch: int = 1_000
) -> Iterator[LabelledRow]:
    """Every labelled production row as known at `as_of_ms`; None: as known now.

    One row a prediction, ordered by (known_at_ms, feedback_id). At a settled instant (`settled_instant`)
    the rows are the same at every reading, whatever came later: corrections, rows joined later, quarantine,
    release. `batch` rows are held in memory at a time; read to the end before the transaction ends.
    """
    last_ms = last_known_at_ms(connection, use_case)
    wanted = _labelled(use_case, as_of_ms, last_ms)
    # Two readings, each in an index's order: one order over both would sort every row with all it holds.
    stamped = wanted.where(_TOLD.c.known_at_ms.is_not(None)).order_by(
        _TOLD.c.known_at_ms, _TOLD.c.feedback_id
    )
    unstamped = wanted.where(_TOLD.c.known_at_ms.is_(None)).order_by(
        _known(_TOLD, last_ms), _TOLD.c.feedback_id
    )
    yield from merge(
        _read(connection, stamped, batch),
        _read(connection, unstamped, batch),
        key=lambda row: (row.known_at_ms, row.feedback_id),
    )


def newest_labelled_rows(
    connection: Connection, use_case: str, limit: int, *, with_released: bool = True
) -> list[LabelledRow]:
    """The last `limit` labelled production rows as known now, oldest of them first.

    Without those that a person released from quarantine where `with_released` is False. Rows that code of
    revision 0001 joined are not among them before the next `settled_instant`.
    """
    wanted = _labelled(use_case, None, last_known_at_ms(connection, use_case)).where(
        _TOLD.c.known_at_ms.is_not(None)
    )
    if not with_released:
        released = select(_SET_ASIDE.c.feedback_id).where(
            _SET_ASIDE.c.use_case == use_case, _SET_ASIDE.c.released_at_ms.is_not(None)
        )
        wanted = wanted.where(_TOLD.c.feedback_id.not_in(released))
    newest = wanted.order_by(_TOLD.c.known_at_ms.desc(), _TOLD.c.feedback_id.desc()).limit(limit)
    return list(_read(connection, newest, limit))[::-1]


def settled_instant(connection: Connection, use_case: str) -> int:
    """The instant of the last change to labels, after which none can be told of that instant or earlier.

    For a writing transaction; gives 0 where nothing was ever labelled. What code of revision 0001 joined
    is given its instant here, and what it let in from suspended sources is set aside.
    """
    # Before the counter's row: code of revision 0001 locks feedback first, and would block this for ever.
    take_turn(connection, use_case, alone=True)
    last_ms = known_instant(connection, use_case, 0)
    unstamped = (_TOLD.c.use_case == use_case, _TOLD.c.state == "joined", _TOLD.c.known_at_ms.is_(None))
    newest: int | None = connection.scalar(select(func.max(_TOLD.c.received_at_ms)).where(*unstamped))
    if newest is not None:
        stamped = update(_TOLD).where(*unstamped).values(known_at_ms=_known(_TOLD, last_ms))
        connection.execute(stamped)
        last_ms = max(last_ms, newest)
    _set_aside_what_came_by(connection, use_case, last_ms)
    connection.execute(_SETTLED, {"use_case": use_case, "next_ms": last_ms + 1})
    return last_ms


def _set_aside_what_came_by(connection: Connection, use_case: str, at_ms: int) -> None:
    """Quarantines joined rows of suspended sources: code of revision 0001 knows no suspension."""
    table = schema.suspensions
    came_by = (
        select(
            literal(use_case),
            _TOLD.c.feedback_id,
            table.c.suspension_id,
            table.c.reason,
            literal(False),
            literal(at_ms),
        )
        .join_from(table, _TOLD, _TOLD.c.source == table.c.source)
        .where(
            table.c.use_case == use_case,
            table.c.ended_at_ms.is_(None),
            _TOLD.c.use_case == use_case,
            _TOLD.c.state == "joined",
            _TOLD.c.known_at_ms >= table.c.suspended_at_ms,
            ~exists().where(_SET_ASIDE.c.feedback_id == _TOLD.c.feedback_id),
        )
        .order_by(_TOLD.c.feedback_id)
    )
    names = ("use_case", "feedback_id", "suspension_id", "reason", "is_held", "quarantined_at_ms")
    connection.execute(insert(_SET_ASIDE).from_select(names, came_by))


def _labelled(use_case: str, as_of_ms: int | None, last_ms: int) -> Select[Any]:
    stored = schema.predictions
    return (
        select(*COLUMNS, _TOLD.c.target, _TOLD.c.source, _known(_TOLD, last_ms), _TOLD.c.feedback_id)
        .join_from(_TOLD, stored, _TOLD.c.prediction_id == stored.c.prediction_id)
        .where(
            _TOLD.c.use_case == use_case,
            takes_part(_TOLD, use_case, as_of_ms, last_ms),
            _TOLD.c.superseded_at_ms.is_(None) | ~has_later(use_case, as_of_ms, last_ms),
        )
    )


def _known(told: FromClause, last_ms: int) -> ColumnElement[int]:
    """When a joined feedback was known. Unstamped: not before the last change, which may be settled."""
    received = told.c.received_at_ms
    return func.coalesce(
        told.c.known_at_ms, case((received > last_ms, received), else_=literal(last_ms))
    ).label("known_ms")


# A set of ids and no correlated subquery: PostgreSQL hashes it once, where on tables that it has no
# statistics of it would pick a join that took 5.9 s for 2,000 rows.
def takes_part(told: FromClause, use_case: str, as_of_ms: int | None, last_ms: int) -> ColumnElement[bool]:
    """Whether a feedback counts at an instant (None: now), were it the only one on its prediction."""
    aside = _SET_ASIDE.alias()
    ids = select(aside.c.feedback_id).where(aside.c.use_case == use_case)
    if as_of_ms is None:
        in_quarantine = ids.where(aside.c.released_at_ms.is_(None))
        return (told.c.state == "joined") & told.c.feedback_id.not_in(in_quarantine)
    in_quarantine = ids.where(
        aside.c.quarantined_at_ms <= as_of_ms,
        func.coalesce(aside.c.released_at_ms, as_of_ms + 1) > as_of_ms,
    )
    return (
        (told.c.state == "joined")
        & (_known(told, last_ms) <= as_of_ms)
        & told.c.feedback_id.not_in(in_quarantine)
    )


def has_later(use_case: str, as_of_ms: int | None, last_ms: int) -> Exists:
    """Whether a later feedback on the same prediction takes part."""
    later = _TOLD.alias("later")
    # Without the use case, which the prediction's id stands for: PostgreSQL would go by another index.
    return exists().where(
        later.c.prediction_id == _TOLD.c.prediction_id,
        later.c.feedback_id > _TOLD.c.feedback_id,
        takes_part(later, use_case, as_of_ms, last_ms),
    )


def _read(connection: Connection, wanted: Select[Any], batch: int) -> Iterator[LabelledRow]:
    width = len(COLUMNS)
    with connection.execute(wanted, execution_options={"yield_per": batch}) as rows:
        for row in rows:
            yield LabelledRow(Prediction(*row[:width]), *row[width:])
