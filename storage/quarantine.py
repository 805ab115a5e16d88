"""Feedback that takes no part until a person releases or discards it: whole sources, and single rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from loop.refusals import Refusal
from storage import schema
from storage.counters import chunked, known_instant
from storage.custody import IS_OPEN, discard, release, set_aside
from storage.suspensions import Suspension, open_suspensions
from storage.turns import take_turn

_TABLE = schema.quarantine
_TOLD = schema.feedback


class NotSuspended(Refusal):
    """A source of feedback that is not suspended, so that there is nothing to release or discard."""


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """One feedback that waits for a person."""

    quarantine_id: int
    feedback_id: int
    prediction_id: str
    predicted: str | None
    """The label that was answered; None: the prediction is not stored."""
    target: str
    source: str | None
    reason: str
    is_held: bool
    """It came after its source was suspended and has never taken part."""
    of_suspension: bool
    """It is here with its whole source."""
    quarantined_at_ms: int


@dataclass(frozen=True, slots=True)
class SuspendedSource:
    """A source all of whose feedback waits for a person."""

    source: str
    reason: str
    since_ms: int
    """Rows known since then were set aside with it."""
    suspended_at_ms: int
    rows: int
    """Its rows in quarantine."""


def suspend_source(
    connection: Connection, use_case: str, source: str, *, reason: str, at_ms: int, since_ms: int
) -> int:
    """Sets aside a source's rows known since `since_ms` and all that comes from it later; how many rows.

    Lasts until a person releases or discards. A source that is suspended already stays so for the reason
    it was; rows that were not set aside yet are.
    """
    take_turn(connection, use_case, alone=True)
    known_ms = known_instant(connection, use_case, at_ms)
    suspension = _suspension(connection, use_case, source)
    if suspension is None:
        values = {"use_case": use_case, "source": source, "reason": reason}
        made = insert(schema.suspensions).values(values | {"since_ms": since_ms, "suspended_at_ms": known_ms})
        suspension_id = connection.execute(made.returning(schema.suspensions.c.suspension_id)).scalar_one()
    else:
        suspension_id = suspension.suspension_id
    # Feedback that still waits for its prediction would be known later, and so come later.
    known = func.coalesce(_TOLD.c.known_at_ms, _TOLD.c.received_at_ms)
    theirs = (_TOLD.c.source == source, (_TOLD.c.state == "pending") | (known >= since_ms))
    return set_aside(connection, use_case, theirs, suspension_id, reason, known_ms)


def release_source(
    connection: Connection, use_case: str, source: str, *, actor: str, k: int, at_ms: int
) -> tuple[int, str | None]:
    """Ends a suspension: its rows take part from now on. How many, and the last training run asked for.

    Those that never counted count now, each multiple of k crossed asks for one run. Raises NotSuspended.
    """
    take_turn(connection, use_case, alone=True)
    suspension_id = _ended(connection, use_case, source, actor, at_ms)
    return release(connection, use_case, _TABLE.c.suspension_id == suspension_id, actor, k, at_ms)


def discard_source(connection: Connection, use_case: str, source: str, *, actor: str, at_ms: int) -> int:
    """Ends a suspension: its rows never take part, what the source sends later does. How many rows.

    Raises NotSuspended.
    """
    take_turn(connection, use_case, alone=True)
    suspension_id = _ended(connection, use_case, source, actor, at_ms)
    return discard(connection, use_case, _TABLE.c.suspension_id == suspension_id, actor, at_ms)


def quarantine_rows(
    connection: Connection, use_case: str, feedback_ids: Collection[int], *, reason: str, at_ms: int
) -> int:
    """Sets aside single feedbacks; how many. Those that are set aside already stay as they are."""
    take_turn(connection, use_case, alone=True)
    known_ms = known_instant(connection, use_case, at_ms)
    return sum(
        set_aside(connection, use_case, (_TOLD.c.feedback_id.in_(chunk),), None, reason, known_ms)
        for chunk in chunked(feedback_ids)
    )


def release_rows(
    connection: Connection, use_case: str, quarantine_ids: Collection[int], *, actor: str, k: int, at_ms: int
) -> tuple[int, str | None]:
    """Lets single rows take part from now on. How many, and the last training run asked for.

    Rows that do not wait any more are left as they are.
    """
    take_turn(connection, use_case, alone=True)
    rows, asked = 0, None
    for chunk in chunked(quarantine_ids):
        which = _TABLE.c.quarantine_id.in_(chunk)
        released, run = release(connection, use_case, which, actor, k, at_ms)
        rows, asked = rows + released, run or asked
    return rows, asked


def discard_rows(
    connection: Connection, use_case: str, quarantine_ids: Collection[int], *, actor: str, at_ms: int
) -> int:
    """Leaves single rows out for good; how many. Rows that do not wait any more are left as they are."""
    take_turn(connection, use_case, alone=True)
    return sum(
        discard(connection, use_case, _TABLE.c.quarantine_id.in_(chunk), actor, at_ms)
        for chunk in chunked(quarantine_ids)
    )


def quarantined(connection: Connection, use_case: str, limit: int = 100) -> tuple[QuarantinedRow, ...]:
    """The rows that wait for a person, newest first."""
    stored = schema.predictions
    wanted = (
        select(
            _TABLE.c.quarantine_id,
            _TABLE.c.feedback_id,
            _TOLD.c.prediction_id,
            stored.c.label,
            _TOLD.c.target,
            _TOLD.c.source,
            _TABLE.c.reason,
            _TABLE.c.is_held,
            _TABLE.c.suspension_id.is_not(None),
            _TABLE.c.quarantined_at_ms,
        )
        .join_from(_TABLE, _TOLD, _TABLE.c.feedback_id == _TOLD.c.feedback_id)
        .outerjoin(stored, _TOLD.c.prediction_id == stored.c.prediction_id)
        .where(_TABLE.c.use_case == use_case, IS_OPEN)
        .order_by(_TABLE.c.quarantine_id.desc())
        .limit(limit)
    )
    return tuple(QuarantinedRow(*row) for row in connection.execute(wanted))


def suspended_sources(connection: Connection, use_case: str) -> tuple[SuspendedSource, ...]:
    """The sources that are suspended now, by name."""
    counts = select(_TABLE.c.suspension_id, func.count()).where(_TABLE.c.use_case == use_case, IS_OPEN)
    rows = dict(connection.execute(counts.group_by(_TABLE.c.suspension_id)).tuples().all())
    return tuple(
        SuspendedSource(
            one.source, one.reason, one.since_ms, one.suspended_at_ms, rows.get(one.suspension_id, 0)
        )
        for one in sorted(open_suspensions(connection, use_case), key=lambda one: one.source)
    )


def _suspension(connection: Connection, use_case: str, source: str) -> Suspension | None:
    return next((one for one in open_suspensions(connection, use_case) if one.source == source), None)


def _ended(connection: Connection, use_case: str, source: str, actor: str, at_ms: int) -> int:
    suspension = _suspension(connection, use_case, source)
    if suspension is None:
        raise NotSuspended(
            f"no feedback of {source!r} is held back in {use_case}; `rebento quarantine` lists the sources "
            "that are suspended"
        )
    table = schema.suspensions
    ending = update(table).where(table.c.suspension_id == suspension.suspension_id)
    known_ms = known_instant(connection, use_case, at_ms)
    connection.execute(ending.values(ended_at_ms=known_ms, actor=actor))
    return suspension.suspension_id
