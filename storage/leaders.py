"""Which supervisor of a use case leads: carries out promotions, for all hosts that share the database.

Each change of the leader raises the term. Whoever writes as leader of a term does so while it holds the row,
and is refused once another term has begun: a leader that was only slow, or cut off, cannot undo what its
successor did. No clock takes part: a leader raises `beats`, and others see that it no longer rises.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, Connection, select, text, update

from loop.refusals import Refusal
from storage import schema

#: PostgreSQL ends a session that holds the row and says nothing more: its host is gone.
_MOST_IDLE = "SET LOCAL idle_in_transaction_session_timeout = '20s'"


class NoLongerLeading(Refusal):
    """Another supervisor leads by now."""


@dataclass(frozen=True, slots=True)
class Leader:
    """One term of one supervisor."""

    use_case: str
    term: int
    """1, 2, …: never the same twice in a use case."""
    holder: str
    """The supervisor, by a name that no other one has or had; empty: it has left, nobody leads."""
    machine: str
    """Where two supervisors cannot run at once, see `supervisor.orphans.only_one`."""
    host: str
    beats: int
    """Raised every few seconds."""


_TABLE = schema.leaders
_COLUMNS = [_TABLE.c[field.name] for field in fields(Leader)]
_FIRST = text(
    "INSERT INTO leaders (use_case, term, holder, machine, host, beats) "
    "VALUES (:use_case, :term, :holder, :machine, :host, 0) ON CONFLICT (use_case) DO NOTHING"
)


def leader(connection: Connection, use_case: str) -> Leader | None:
    """The last term, whether its holder is still there or not; None: there was none yet."""
    row = connection.execute(select(*_COLUMNS).where(_TABLE.c.use_case == use_case)).first()
    return None if row is None else Leader(*row)


def take_lead(
    connection: Connection, use_case: str, after: Leader | None, *, holder: str, machine: str, host: str
) -> Leader | None:
    """A new term; None where `after`, the last one as it was seen, has gone on or been succeeded since."""
    _end_idle_sessions(connection)
    values = {"holder": holder, "machine": machine, "host": host}
    term = 1 if after is None else after.term + 1
    if after is None:
        changed = connection.execute(_FIRST, {"use_case": use_case, "term": term, **values})
    else:
        seen = (_TABLE.c.term == after.term, _TABLE.c.beats == after.beats, _TABLE.c.holder == after.holder)
        succeeded = update(_TABLE).where(_TABLE.c.use_case == use_case, *seen)
        changed = connection.execute(succeeded.values(term=term, beats=0, **values))
    return Leader(use_case, term, holder, machine, host, 0) if changed.rowcount == 1 else None


def hold_lead(connection: Connection, leading: Leader) -> None:
    """Keeps others from leading until the transaction ends. Raises NoLongerLeading."""
    _end_idle_sessions(connection)
    wanted = select(_TABLE.c.term, _TABLE.c.holder, _TABLE.c.host)
    wanted = wanted.where(_TABLE.c.use_case == leading.use_case).with_for_update()
    row = connection.execute(wanted).first()
    if row is None or (row.term, row.holder) != (leading.term, leading.holder):
        by = "nobody" if row is None else row.host
        raise NoLongerLeading(
            f"{by} leads {leading.use_case} by now, so this host only follows; see `rebento versions`"
        )


def beat_lead(connection: Connection, leading: Leader) -> bool:
    """Says that the leader is there; False where another leads by now."""
    _end_idle_sessions(connection)
    beaten = update(_TABLE).where(*_is(leading)).values(beats=_TABLE.c.beats + 1)
    return connection.execute(beaten).rowcount == 1


def leave_lead(connection: Connection, leading: Leader) -> None:
    """Has the next supervisor lead at once. The term stays, so that the next one is higher."""
    _end_idle_sessions(connection)
    connection.execute(update(_TABLE).where(*_is(leading)).values(holder=""))


def _is(leading: Leader) -> tuple[ColumnElement[bool], ...]:
    # The holder as well: a term whose beginning was not committed is another's, by the same number.
    return (
        _TABLE.c.use_case == leading.use_case,
        _TABLE.c.term == leading.term,
        _TABLE.c.holder == leading.holder,
    )


def _end_idle_sessions(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_MOST_IDLE)
