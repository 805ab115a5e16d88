"""Training runs: each one attempt to train, from request to verdict."""

from __future__ import annotations

import secrets as randomness
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal, TypedDict, Unpack

from sqlalchemy import Connection, insert, select, update

from loop.refusals import Refusal
from storage import schema

State = Literal[
    "requested",  # waits for a trainer
    "running",  # a trainer has claimed it
    "built",  # it ended with a Bento; the verdict says what became of that
    "failed",  # it ended without one; `error` says why
]


class RunNotOpen(Refusal):
    """A training run that is unknown, or not in the state from which it could go on."""


@dataclass(frozen=True, slots=True)
class Run:
    """One training run. None: not known yet. Texts ending in `_json` are JSON objects."""

    run_id: str
    use_case: str
    state: State
    trigger: str
    """What asked for it: 'feedback', 'person', 'first', …"""
    reason: str
    requested_at_ms: int
    started_at_ms: int | None = None
    finished_at_ms: int | None = None
    as_of: str | None = None
    parameters_json: str | None = None
    scores_json: str | None = None
    rows_json: str | None = None
    """Row counts by name."""
    data_digest: str | None = None
    code_revision: str | None = None
    libraries_json: str | None = None
    seconds: float | None = None
    peak_memory_bytes: int | None = None
    verdict_json: str | None = None
    error: str | None = None
    bento: str | None = None


class RunFacts(TypedDict, total=False):
    """What may be told of a run when it starts or ends; the columns of `Run` by the same names."""

    as_of: str | None
    parameters_json: str | None
    scores_json: str | None
    rows_json: str | None
    data_digest: str | None
    code_revision: str | None
    libraries_json: str | None
    seconds: float | None
    peak_memory_bytes: int | None
    verdict_json: str | None
    bento: str | None


_COLUMNS = [schema.runs.c[field.name] for field in fields(Run)]


def new_run_id(at_ms: int) -> str:
    """An id that sorts by the second of its request (UTC) and does not repeat."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y%m%d-%H%M%S}-{randomness.token_hex(4)}"


def request_run(
    connection: Connection,
    use_case: str,
    *,
    trigger: str,
    reason: str,
    at_ms: int,
    as_of: str | None = None,
) -> Run:
    """A new run that waits for a trainer."""
    run = Run(new_run_id(at_ms), use_case, "requested", trigger, reason, at_ms, as_of=as_of)
    connection.execute(
        insert(schema.runs),
        {
            "run_id": run.run_id,
            "use_case": use_case,
            "state": run.state,
            "trigger": trigger,
            "reason": reason,
            "requested_at_ms": at_ms,
            "as_of": as_of,
        },
    )
    return run


def start_run(connection: Connection, run_id: str, at_ms: int, **facts: Unpack[RunFacts]) -> bool:
    """Claims a requested run. False where it does not wait any more: another trainer has it."""
    return _moved(connection, run_id, ("requested",), {"state": "running", "started_at_ms": at_ms, **facts})


def finish_run(connection: Connection, run_id: str, at_ms: int, **facts: Unpack[RunFacts]) -> None:
    """Ends a running run that built a Bento. Raises RunNotOpen where it is not running."""
    values = {"state": "built", "finished_at_ms": at_ms, **facts}
    if not _moved(connection, run_id, ("running",), values):
        raise RunNotOpen(f"the training run {run_id} is not running, so it cannot end; see the list of runs")


def fail_run(connection: Connection, run_id: str, at_ms: int, error: str, **facts: Unpack[RunFacts]) -> None:
    """Ends a requested or running run without a Bento. Raises RunNotOpen where it has ended already."""
    values = {"state": "failed", "finished_at_ms": at_ms, "error": error, **facts}
    if not _moved(connection, run_id, ("requested", "running"), values):
        raise RunNotOpen(f"the training run {run_id} is not open, so it cannot fail; see the list of runs")


def run(connection: Connection, run_id: str) -> Run | None:
    """The run of this id."""
    row = connection.execute(select(*_COLUMNS).where(schema.runs.c.run_id == run_id)).first()
    return None if row is None else Run(*row)


def runs(
    connection: Connection, use_case: str, *, state: State | None = None, limit: int = 100
) -> tuple[Run, ...]:
    """Runs of a use case, newest request first; only those in one state where it is given."""
    table = schema.runs
    wanted = select(*_COLUMNS).where(table.c.use_case == use_case)
    if state is not None:
        wanted = wanted.where(table.c.state == state)
    wanted = wanted.order_by(table.c.requested_at_ms.desc(), table.c.run_id.desc()).limit(limit)
    return tuple(Run(*row) for row in connection.execute(wanted))


def _moved(
    connection: Connection, run_id: str, from_states: tuple[State, ...], values: dict[str, Any]
) -> bool:
    table = schema.runs
    moved = update(table).where(table.c.run_id == run_id, table.c.state.in_(from_states)).values(values)
    return connection.execute(moved).rowcount == 1
