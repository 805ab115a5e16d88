"""Training runs: each one attempt to train, from request to verdict."""

from __future__ import annotations

import secrets as randomness
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Unpack

from sqlalchemy import Connection, Select, func, insert, select, update

from loop.refusals import Refusal
from storage import schema
from storage.run_facts import Mode as Mode
from storage.run_facts import Run as Run
from storage.run_facts import RunFacts
from storage.run_facts import State as State
from storage.turns import take_turn


class RunNotOpen(Refusal):
    """A training run that is unknown, or not in the state from which it could go on."""


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
    mode: Mode | None = None,
) -> Run:
    """A new run that waits for a trainer."""
    run = Run(new_run_id(at_ms), use_case, "requested", trigger, reason, at_ms, as_of=as_of, mode=mode)
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
            "mode": mode,
        },
    )
    return run


def start_run(
    connection: Connection,
    run_id: str,
    at_ms: int,
    *,
    claimed_by: str | None = None,
    **facts: Unpack[RunFacts],
) -> bool:
    """Claims a requested run. False where it does not wait any more, or another of its use case runs."""
    asked = run(connection, run_id)
    if asked is None:
        return False
    # PostgreSQL: of two trainers at once, each would see that nothing runs.
    take_turn(connection, f"training runs of {asked.use_case}", alone=True)
    if running_run(connection, asked.use_case) is not None:
        return False
    begun = {"started_at_ms": at_ms, "beat_at_ms": at_ms, "claimed_by": claimed_by}
    return _moved(connection, run_id, ("requested",), {"state": "running", **begun, **facts})


def beat_run(
    connection: Connection,
    run_id: str,
    at_ms: int,
    progress_json: str | None = None,
    *,
    claimed_by: str | None = None,
) -> bool:
    """Says that a run goes on. False where it is not running (any more) in the hands of `claimed_by`.

    Progress that is not given stays as it was.
    """
    told = {} if progress_json is None else {"progress_json": progress_json}
    return _moved(connection, run_id, ("running",), {"beat_at_ms": at_ms, **told}, claimed_by)


def requeue_run(connection: Connection, run_id: str, at_ms: int, reason: str, *, counts: bool = True) -> None:
    """Lets a running run wait again, because whoever had it is gone. Raises RunNotOpen.

    Its reason says so from then on. Counts as an attempt, but where its trainer was asked to stop.
    """
    lost = run(connection, run_id)
    values: dict[str, Any] = {"state": "requested", "claimed_by": None, "beat_at_ms": at_ms}
    if lost is not None:
        values |= {"attempts": lost.attempts + counts, "reason": f"{lost.reason}; again, because {reason}"}
    _must(_moved(connection, run_id, ("running",), values), run_id, "is not running, so it cannot wait again")


def supersede_run(connection: Connection, run_id: str, at_ms: int, by: str) -> None:
    """Ends a run that waits, because the run `by` sees its rows too. Raises RunNotOpen."""
    values = {"state": "superseded", "finished_at_ms": at_ms, "error": f"superseded by {by}"}
    _must(_moved(connection, run_id, ("requested",), values), run_id, "does not wait, so it stays as it is")


def finish_run(
    connection: Connection,
    run_id: str,
    at_ms: int,
    *,
    claimed_by: str | None = None,
    **facts: Unpack[RunFacts],
) -> None:
    """Ends a running run that built a Bento. Raises RunNotOpen where it is not running.

    With `claimed_by`, also where another process has it by now.
    """
    values = {"state": "built", "finished_at_ms": at_ms, **facts}
    moved = _moved(connection, run_id, ("running",), values, claimed_by)
    _must(moved, run_id, "is not running, so it cannot end")


def fail_run(
    connection: Connection,
    run_id: str,
    at_ms: int,
    error: str,
    *,
    claimed_by: str | None = None,
    **facts: Unpack[RunFacts],
) -> None:
    """Ends a requested or running run without a Bento. Raises RunNotOpen where it has ended already.

    With `claimed_by`, also where another process has it by now.
    """
    values = {"state": "failed", "finished_at_ms": at_ms, "error": error, **facts}
    moved = _moved(connection, run_id, ("requested", "running"), values, claimed_by)
    _must(moved, run_id, "is not open, so it cannot fail")


def run(connection: Connection, run_id: str) -> Run | None:
    """The run of this id."""
    row = connection.execute(select(*_COLUMNS).where(schema.runs.c.run_id == run_id)).first()
    return None if row is None else Run(*row)


def runs(
    connection: Connection, use_case: str, *, state: State | None = None, limit: int = 100
) -> tuple[Run, ...]:
    """Runs of a use case, newest request first; only those in one state where it is given."""
    table = schema.runs
    newest_first = (table.c.requested_at_ms.desc(), table.c.run_id.desc())
    wanted = _of(use_case, state).order_by(*newest_first).limit(limit)
    return tuple(Run(*row) for row in connection.execute(wanted))


def waiting_runs(connection: Connection, use_case: str) -> tuple[Run, ...]:
    """Runs that wait for a trainer, oldest request first."""
    oldest_first = (schema.runs.c.requested_at_ms, schema.runs.c.run_id)
    wanted = _of(use_case, "requested").order_by(*oldest_first)
    return tuple(Run(*row) for row in connection.execute(wanted))


def running_run(connection: Connection, use_case: str) -> Run | None:
    """The run that a trainer has; the one started last, should an older release have left several."""
    wanted = _of(use_case, "running").order_by(schema.runs.c.started_at_ms.desc()).limit(1)
    row = connection.execute(wanted).first()
    return None if row is None else Run(*row)


def latest_end_ms(connection: Connection, use_case: str) -> int | None:
    """When the last run ended that had started, well or not; None: none ever did."""
    table = schema.runs
    ended = (table.c.use_case == use_case, table.c.state.in_(("built", "failed")))
    latest: int | None = connection.scalar(select(func.max(table.c.finished_at_ms)).where(*ended))
    return latest


def _of(use_case: str, state: State | None) -> Select[tuple[Any, ...]]:
    wanted = select(*_COLUMNS).where(schema.runs.c.use_case == use_case)
    return wanted if state is None else wanted.where(schema.runs.c.state == state)


def _must(moved: bool, run_id: str, otherwise: str) -> None:
    if not moved:
        raise RunNotOpen(f"the training run {run_id} {otherwise}; see the list of runs")


def _moved(
    connection: Connection,
    run_id: str,
    from_states: tuple[State, ...],
    values: dict[str, Any],
    claimed_by: str | None = None,
) -> bool:
    table = schema.runs
    moved = update(table).where(table.c.run_id == run_id, table.c.state.in_(from_states)).values(values)
    if claimed_by is not None:
        moved = moved.where(table.c.claimed_by == claimed_by)
    return connection.execute(moved).rowcount == 1
