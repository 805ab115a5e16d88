"""Which long-lived processes are there: each says so every few seconds."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sqlalchemy import Connection, delete, select, text

from storage import schema


@dataclass(frozen=True, slots=True)
class Process:
    """One process of a use case, as it last said."""

    use_case: str
    name: str
    """'supervisor' or 'trainer'."""
    pid: int
    host: str
    started_at_ms: int
    beat_at_ms: int


_TABLE = schema.processes
_COLUMNS = [_TABLE.c[field.name] for field in fields(Process)]
_BEAT = text(
    "INSERT INTO processes (use_case, name, pid, host, started_at_ms, beat_at_ms) "
    "VALUES (:use_case, :name, :pid, :host, :started_at_ms, :at_ms) ON CONFLICT (use_case, name) "
    "DO UPDATE SET pid = excluded.pid, host = excluded.host, started_at_ms = excluded.started_at_ms, "
    "beat_at_ms = excluded.beat_at_ms"
)


def beat(
    connection: Connection, use_case: str, name: str, *, pid: int, host: str, started_at_ms: int, at_ms: int
) -> None:
    """Says that the process of this name is there. Of two that do, the last is remembered."""
    values = {"use_case": use_case, "name": name, "pid": pid, "host": host}
    connection.execute(_BEAT, values | {"started_at_ms": started_at_ms, "at_ms": at_ms})


def alive(
    connection: Connection, use_case: str, name: str, *, at_ms: int, within_ms: int = 15_000
) -> Process | None:
    """The process of this name that spoke within so many milliseconds before `at_ms`."""
    wanted = select(*_COLUMNS).where(
        _TABLE.c.use_case == use_case, _TABLE.c.name == name, _TABLE.c.beat_at_ms >= at_ms - within_ms
    )
    row = connection.execute(wanted).first()
    return None if row is None else Process(*row)


def farewell(connection: Connection, use_case: str, name: str, pid: int) -> None:
    """Forgets a process that leaves; another of its name that has spoken since stays."""
    connection.execute(
        delete(_TABLE).where(_TABLE.c.use_case == use_case, _TABLE.c.name == name, _TABLE.c.pid == pid)
    )
