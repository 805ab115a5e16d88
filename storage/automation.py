"""Whether Rebento may act by itself: paused and resumed by persons, kept as a log of changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, insert, select

from storage import schema

Change = Literal[
    "paused",  # no training run starts that no person asked for, and nothing is promoted
    "promotion suspended",  # runs go on; a proven challenger waits for a person
    "resumed",  # ends both
]


@dataclass(frozen=True, slots=True)
class Automation:
    """What may happen by itself now, and who said so last."""

    is_paused: bool
    paused_since_ms: int | None
    promotion_is_suspended: bool
    suspended_since_ms: int | None
    actor: str | None
    """Who made the last change; None: nobody ever did."""
    reason: str | None


_TABLE = schema.automation_changes


def automation(connection: Connection, use_case: str) -> Automation:
    """What may happen by itself in a use case now. Nothing is paused where nobody ever said so."""
    newest_first = _TABLE.c.change_id.desc()
    wanted = select(_TABLE.c.change, _TABLE.c.at_ms, _TABLE.c.actor, _TABLE.c.reason)
    resumed = (
        select(_TABLE.c.change_id)
        .where(_TABLE.c.use_case == use_case, _TABLE.c.change == "resumed")
        .order_by(newest_first)
        .limit(1)
        .scalar_subquery()
    )
    last = connection.execute(
        wanted.where(_TABLE.c.use_case == use_case).order_by(newest_first).limit(1)
    ).first()
    since: dict[str, int] = {}
    if last is not None and last.change != "resumed":
        in_force = wanted.where(
            _TABLE.c.use_case == use_case,
            (_TABLE.c.change_id > resumed) | resumed.is_(None),
        ).order_by(_TABLE.c.change_id)
        for row in connection.execute(in_force):
            since.setdefault(row.change, row.at_ms)
    return Automation(
        is_paused="paused" in since,
        paused_since_ms=since.get("paused"),
        promotion_is_suspended="promotion suspended" in since,
        suspended_since_ms=since.get("promotion suspended"),
        actor=None if last is None else last.actor,
        reason=None if last is None else last.reason,
    )


def pause(connection: Connection, use_case: str, *, actor: str, reason: str, at_ms: int) -> None:
    """Stops the whole automation until somebody resumes it."""
    _change(connection, use_case, "paused", actor, reason, at_ms)


def suspend_promotion(connection: Connection, use_case: str, *, actor: str, reason: str, at_ms: int) -> None:
    """Stops automatic promotion alone until somebody resumes it."""
    _change(connection, use_case, "promotion suspended", actor, reason, at_ms)


def resume(connection: Connection, use_case: str, *, actor: str, reason: str, at_ms: int) -> None:
    """Ends a pause and a suspended promotion, whichever there is."""
    _change(connection, use_case, "resumed", actor, reason, at_ms)


def _change(
    connection: Connection, use_case: str, change: Change, actor: str, reason: str, at_ms: int
) -> None:
    values = {"use_case": use_case, "change": change, "actor": actor, "reason": reason, "at_ms": at_ms}
    connection.execute(insert(_TABLE), values)
