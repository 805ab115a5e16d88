"""What drift, quality and suspicion led to, each with its sentence and its numbers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from storage import schema
from storage.automation import automation

Kind = Literal["drift", "quality", "suspicion"]
Action = Literal["NO_ACTION", "RETRAIN", "INVESTIGATE"]


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """One decision."""

    decision_id: int
    use_case: str
    kind: Kind
    decision: Action
    sentence: str
    numbers_json: str
    """What it went by, a JSON object."""
    at_ms: int
    run_id: str | None
    """The training run that a RETRAIN led to; None: none yet."""
    was_paused: bool = False
    """Automation was paused when it was made: it leads to no run, also not when that is resumed."""


_TABLE = schema.decisions
_COLUMNS = [_TABLE.c[field.name] for field in fields(StoredDecision)]


def record_decision(
    connection: Connection,
    use_case: str,
    *,
    kind: Kind,
    decision: Action,
    sentence: str,
    numbers_json: str = "{}",
    at_ms: int,
) -> int:
    """Enters a decision; gives its id. A RETRAIN then waits until `act_on_decision`.

    One that is made while automation is paused waits for nothing: whoever resumes it later did not ask for
    a training that was called for then.
    """
    values = {
        "use_case": use_case,
        "kind": kind,
        "decision": decision,
        "sentence": sentence,
        "numbers_json": numbers_json,
        "at_ms": at_ms,
        "was_paused": automation(connection, use_case).is_paused,
    }
    made = connection.execute(insert(_TABLE).values(values).returning(_TABLE.c.decision_id))
    return int(made.scalar_one())


def waiting_decisions(connection: Connection, use_case: str) -> tuple[StoredDecision, ...]:
    """Every RETRAIN that a training run is to come of and has not yet, oldest first."""
    wanted = select(*_COLUMNS).where(
        _TABLE.c.use_case == use_case,
        _TABLE.c.decision == "RETRAIN",
        _TABLE.c.run_id.is_(None),
        ~_TABLE.c.was_paused,
    )
    return tuple(StoredDecision(*row) for row in connection.execute(wanted.order_by(_TABLE.c.decision_id)))


def act_on_decision(connection: Connection, decision_id: int, run_id: str) -> bool:
    """Notes the training run that a decision led to. False where it has led to one already."""
    waiting = update(_TABLE).where(_TABLE.c.decision_id == decision_id, _TABLE.c.run_id.is_(None))
    return connection.execute(waiting.values(run_id=run_id)).rowcount == 1


def find_decision(connection: Connection, decision_id: int) -> StoredDecision | None:
    """The decision of this id."""
    row = connection.execute(select(*_COLUMNS).where(_TABLE.c.decision_id == decision_id)).first()
    return None if row is None else StoredDecision(*row)


def last_that_asked(connection: Connection, use_case: str) -> StoredDecision | None:
    """The decision, of whatever kind, that asked for the newest training run that one has led to.

    Later ones that led to the same run are not it.
    """
    newest = select(_TABLE.c.run_id).where(_TABLE.c.use_case == use_case, _TABLE.c.run_id.is_not(None))
    newest = newest.order_by(_TABLE.c.decision_id.desc()).limit(1)
    asked = select(*_COLUMNS).where(
        _TABLE.c.use_case == use_case, _TABLE.c.run_id == newest.scalar_subquery()
    )
    row = connection.execute(asked.order_by(_TABLE.c.decision_id).limit(1)).first()
    return None if row is None else StoredDecision(*row)


def decisions(
    connection: Connection, use_case: str, *, kind: Kind | None = None, limit: int = 100
) -> tuple[StoredDecision, ...]:
    """Decisions of a use case, newest first; only those of one kind where it is given."""
    wanted = select(*_COLUMNS).where(_TABLE.c.use_case == use_case)
    if kind is not None:
        wanted = wanted.where(_TABLE.c.kind == kind)
    wanted = wanted.order_by(_TABLE.c.decision_id.desc()).limit(limit)
    return tuple(StoredDecision(*row) for row in connection.execute(wanted))
