"""Which long-lived processes are there: each says so every few seconds.

Where a database server keeps the rows, its clock dates them: those of the hosts may be minutes apart.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from sqlalchemy import Connection, Select, delete, or_, select, text, update

from storage import schema
from storage.condition import server_ms

SUPERVISOR = "supervisor"
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Process:
    """One process of a use case, as it last said."""

    use_case: str
    name: str
    """'supervisor' (the leading one), 'supervisor HOLDER' (one that follows), 'trainer HOST',
    'reporter HOST', or 'annotator HOST:PID'."""
    pid: int
    host: str
    started_at_ms: int
    beat_at_ms: int
    bento: str | None = None
    """Of a supervisor: the tag that answers on its host."""


_TABLE = schema.processes
_COLUMNS = [_TABLE.c[field.name] for field in fields(Process)]
_BEAT = text(
    "INSERT INTO processes (use_case, name, pid, host, started_at_ms, beat_at_ms, bento) "
    "VALUES (:use_case, :name, :pid, :host, :started_at_ms, :at_ms, :bento) ON CONFLICT (use_case, name) "
    "DO UPDATE SET pid = excluded.pid, host = excluded.host, started_at_ms = excluded.started_at_ms, "
    "beat_at_ms = excluded.beat_at_ms, bento = excluded.bento"
)


def follower_name(holder: str) -> str:
    """The name of a supervisor that follows: there may be several."""
    return f"{SUPERVISOR} {holder}"


def beat(
    connection: Connection,
    use_case: str,
    name: str,
    *,
    pid: int,
    host: str,
    started_at_ms: int,
    at_ms: int,
    bento: str | None = None,
) -> None:
    """Says that the process of this name is there. Of two that do, the last is remembered.

    `at_ms` is this machine's time, which counts where there is no database server to ask.
    """
    values = {"use_case": use_case, "name": name, "pid": pid, "host": host, "bento": bento}
    now = _now_ms(connection, at_ms)
    connection.execute(_BEAT, values | {"started_at_ms": started_at_ms, "at_ms": now})


def alive(
    connection: Connection, use_case: str, name: str, *, at_ms: int, within_ms: int = 15_000
) -> Process | None:
    """The process of this name that spoke within so many milliseconds before `at_ms`, as in `beat`.

    Of several supervisors the leading one, where it is there.
    """
    return next(iter(all_alive(connection, use_case, name, at_ms=at_ms, within_ms=within_ms)), None)


def all_alive(
    connection: Connection, use_case: str, name: str, *, at_ms: int, within_ms: int = 15_000
) -> tuple[Process, ...]:
    """As `alive`, each of them: 'NAME' and 'NAME …', by their names."""
    wanted = _lately(connection, name, at_ms, within_ms).where(_TABLE.c.use_case == use_case)
    found = connection.execute(wanted.order_by(_TABLE.c.name)).all()  # the shortest name comes first
    return tuple(Process(*row) for row in found)


def supervisors(
    connection: Connection, use_case: str, *, at_ms: int, within_ms: int = 15_000
) -> tuple[Process, ...]:
    """Every supervisor that is there, the leading one first."""
    return all_alive(connection, use_case, SUPERVISOR, at_ms=at_ms, within_ms=within_ms)


def answering_bentos(connection: Connection, use_case: str, *, at_ms: int) -> frozenset[str]:
    """Tags that answer on some host, as far as its supervisor said within a day and did not say farewell.

    A host that lags behind answers with another than the champion. One that is cut off from the database
    goes on answering, and may be back tomorrow.
    """
    return frozenset(
        one.bento
        for one in supervisors(connection, use_case, at_ms=at_ms, within_ms=_DAY_MS)
        if one.bento is not None
    )


def here(
    connection: Connection, name: str, host: str, *, at_ms: int, use_case: str = "", within_ms: int = 15_000
) -> Process | None:
    """A process of this name on this host that spoke lately, as in `alive`; of any use case where none is
    given."""
    wanted = _lately(connection, name, at_ms, within_ms).where(_TABLE.c.host == host)
    if use_case:
        wanted = wanted.where(_TABLE.c.use_case == use_case)
    row = connection.execute(wanted.limit(1)).first()
    return None if row is None else Process(*row)


def farewell(connection: Connection, use_case: str, name: str, pid: int) -> None:
    """Forgets a process that leaves; another of its name that has spoken since stays."""
    connection.execute(
        delete(_TABLE).where(_TABLE.c.use_case == use_case, _TABLE.c.name == name, _TABLE.c.pid == pid)
    )


def set_aside(connection: Connection, use_case: str, holder: str) -> None:
    """Has the leading supervisor, which was silent, be remembered as one that follows: it may be cut off from
    the database, and its workers go on answering."""
    name = follower_name(holder)
    of_use_case = _TABLE.c.use_case == use_case
    connection.execute(delete(_TABLE).where(of_use_case, _TABLE.c.name == name))
    connection.execute(update(_TABLE).where(of_use_case, _TABLE.c.name == SUPERVISOR).values(name=name))


def forget_silent(connection: Connection, use_case: str, name: str, at_ms: int) -> None:
    """Removes processes 'NAME …' that ended without a farewell, a day ago or more: a container's host is
    never seen again."""
    before = _TABLE.c.beat_at_ms < _now_ms(connection, at_ms) - _DAY_MS
    named = _TABLE.c.name.startswith(f"{name} ")
    connection.execute(delete(_TABLE).where(_TABLE.c.use_case == use_case, named, before))


def _lately(
    connection: Connection, name: str, at_ms: int, within_ms: int
) -> Select[tuple[str, str, int, str, int, int, str | None]]:
    """Processes NAME and 'NAME …' that spoke within so many milliseconds, of all use cases and hosts."""
    of_name = or_(_TABLE.c.name == name, _TABLE.c.name.startswith(f"{name} "))
    return select(*_COLUMNS).where(of_name, _TABLE.c.beat_at_ms >= _now_ms(connection, at_ms) - within_ms)


def _now_ms(connection: Connection, at_ms: int) -> int:
    there = server_ms(connection)
    return at_ms if there is None else there
