"""Sources of feedback that are suspended: what they send waits for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, insert

from storage import schema


class Suspension(NamedTuple):
    """A source that is suspended now."""

    suspension_id: int
    source: str
    reason: str
    since_ms: int
    suspended_at_ms: int


def _statement(mark: str) -> str:
    # Written out: every call of feedback that names a source asks this, and compiling costs more than it.
    return (
        f"SELECT {', '.join(Suspension._fields)} FROM suspensions "
        f"WHERE use_case = {mark} AND ended_at_ms IS NULL"
    )


_STATEMENTS = {"sqlite": _statement("?"), "postgresql": _statement("%s")}


def open_suspensions(connection: Connection, use_case: str) -> tuple[Suspension, ...]:
    """The sources of a use case that are suspended now, in no order."""
    found = connection.exec_driver_sql(_STATEMENTS[connection.dialect.name], (use_case,))
    return tuple(Suspension(*row) for row in found)


def hold(
    connection: Connection, use_case: str, arrived: Sequence[tuple[int, Suspension]], *, at_ms: int
) -> None:
    """Enters feedback ids into quarantine, each with the suspension it met on its arrival."""
    rows = [
        {
            "use_case": use_case,
            "feedback_id": feedback_id,
            "suspension_id": met.suspension_id,
            "reason": met.reason,
            "is_held": True,
            "quarantined_at_ms": at_ms,
        }
        for feedback_id, met in arrived
    ]
    if rows:
        connection.execute(insert(schema.quarantine), rows)
