"""Reports on the model's health: each one comparison, from request to decision and files."""

from __future__ import annotations

import json as texts
from dataclasses import fields
from typing import Any, Unpack

from sqlalchemy import ColumnElement, Connection, Select, func, insert, select, update

from loop.refusals import Refusal
from storage import schema
from storage.report_facts import Report as Report
from storage.report_facts import ReportFacts
from storage.report_facts import ReportState as ReportState
from storage.report_facts import Trigger as Trigger
from storage.runs import new_run_id
from storage.turns import take_turn


class ReportNotOpen(Refusal):
    """A report that is unknown, or not in the state from which it could go on."""


_TABLE = schema.reports
_COLUMNS = [_TABLE.c[field.name] for field in fields(Report)]
_NEWEST_FIRST = (_TABLE.c.requested_at_ms.desc(), _TABLE.c.report_id.desc())
_OLDEST_FIRST = (_TABLE.c.requested_at_ms, _TABLE.c.report_id)


def request_report(
    connection: Connection,
    use_case: str,
    *,
    trigger: Trigger,
    reason: str,
    asked_json: str = "{}",
    at_ms: int,
) -> Report:
    """A new report that waits for the reporter; one that waits and was asked the same is given instead."""
    asked = texts.dumps(texts.loads(asked_json), sort_keys=True)
    _take_turn(connection, use_case)
    waits = _of(use_case, "requested").where(_TABLE.c.asked_json == asked).order_by(*_OLDEST_FIRST).limit(1)
    same = connection.execute(waits).first()
    if same is not None:
        return Report(*same)
    values: dict[str, Any] = dict.fromkeys(field.name for field in fields(Report))
    values |= {
        "report_id": new_run_id(at_ms),
        "use_case": use_case,
        "trigger": trigger,
        "reason": reason,
        "state": "requested",
        "asked_json": asked,
        "numbers_json": "{}",
        "requested_at_ms": at_ms,
        "attempts": 0,
    }
    connection.execute(insert(_TABLE), values)
    return Report(**values)


def claim_report(
    connection: Connection, use_case: str, at_ms: int, claimed_by: str, *, report_id: str | None = None
) -> Report | None:
    """The report to do now, claimed: persons' first, then the oldest request; or the one of that id.

    None where none waits (any more).
    """
    _take_turn(connection, use_case)
    waits = _of(use_case, "requested").order_by((_TABLE.c.trigger != "person"), *_OLDEST_FIRST).limit(1)
    if report_id is not None:
        waits = waits.where(_TABLE.c.report_id == report_id)
    found = connection.execute(waits).first()
    if found is None:
        return None
    claimed = found.report_id
    values = {"state": "running", "claimed_by": claimed_by, "started_at_ms": at_ms, "beat_at_ms": at_ms}
    _must(_moved(connection, claimed, ("requested",), values), claimed, "does not wait any more")
    return find_report(connection, claimed)


def tell_report(
    connection: Connection, report_id: str, at_ms: int, claimed_by: str, **facts: Unpack[ReportFacts]
) -> bool:
    """Says that a report goes on, and what is known of it by now. False where another process has it."""
    return _moved(connection, report_id, ("running",), {"beat_at_ms": at_ms, **facts}, claimed_by)


def finish_report(
    connection: Connection,
    report_id: str,
    at_ms: int,
    *,
    claimed_by: str | None = None,
    **facts: Unpack[ReportFacts],
) -> None:
    """Ends a running report well. Raises ReportNotOpen where it is not running, or another process has it."""
    values = {"state": "done", "ended_at_ms": at_ms, "error": None, **facts}
    moved = _moved(connection, report_id, ("running",), values, claimed_by)
    _must(moved, report_id, "is not running, so it cannot end")


def fail_report(
    connection: Connection,
    report_id: str,
    at_ms: int,
    error: str,
    *,
    claimed_by: str | None = None,
    **facts: Unpack[ReportFacts],
) -> None:
    """Ends a report that waits or runs without what was wanted of it. Raises ReportNotOpen."""
    values = {"state": "failed", "ended_at_ms": at_ms, "error": error, **facts}
    moved = _moved(connection, report_id, ("requested", "running"), values, claimed_by)
    _must(moved, report_id, "has ended already, so it cannot fail")


def requeue_report(
    connection: Connection, report_id: str, at_ms: int, reason: str, *, counts: bool = True
) -> None:
    """Lets a running report wait again, for whoever had it is gone; its reason says so from then on.

    Counts as an attempt unless told otherwise. Raises ReportNotOpen.
    """
    lost = find_report(connection, report_id)
    values: dict[str, Any] = {"state": "requested", "claimed_by": None, "beat_at_ms": at_ms}
    if lost is not None:
        values |= {"attempts": lost.attempts + counts, "reason": f"{lost.reason}; again, because {reason}"}
    moved = _moved(connection, report_id, ("running",), values)
    _must(moved, report_id, "is not running, so it cannot wait again")


def find_report(connection: Connection, report_id: str) -> Report | None:
    """The report of this id."""
    return _first(connection, select(*_COLUMNS).where(_TABLE.c.report_id == report_id))


def reports(
    connection: Connection, use_case: str, *, limit: int = 100, before: str | None = None
) -> tuple[Report, ...]:
    """Reports of a use case, newest request first; with `before`, a report's id, those older than it.

    An id that no report has gives none.
    """
    wanted = _of(use_case)
    if before is not None:
        shown = find_report(connection, before)
        if shown is None:
            return ()
        at_ms = shown.requested_at_ms
        is_older = (_TABLE.c.requested_at_ms < at_ms) | (
            (_TABLE.c.requested_at_ms == at_ms) & (_TABLE.c.report_id < before)
        )
        wanted = wanted.where(is_older)
    found = connection.execute(wanted.order_by(*_NEWEST_FIRST).limit(limit))
    return tuple(Report(*row) for row in found)


def last_report(connection: Connection, use_case: str) -> Report | None:
    """The newest report that is done."""
    return _first(connection, _of(use_case, "done").order_by(*_NEWEST_FIRST).limit(1))


def running_reports(connection: Connection, use_case: str) -> tuple[Report, ...]:
    """Reports that a process has, oldest request first."""
    found = connection.execute(_of(use_case, "running").order_by(*_OLDEST_FIRST))
    return tuple(Report(*row) for row in found)


def latest_own_request_ms(connection: Connection, use_case: str) -> int | None:
    """When a report was last asked for by no person, however it ended; None: never."""
    asked = (_TABLE.c.use_case == use_case, _TABLE.c.trigger != "person")
    latest: int | None = connection.scalar(select(func.max(_TABLE.c.requested_at_ms)).where(*asked))
    return latest


def reports_with_files(connection: Connection, use_case: str) -> tuple[Report, ...]:
    """Reports whose files are there, newest first."""
    there: ColumnElement[bool] = _TABLE.c.html.is_not(None) | _TABLE.c.json.is_not(None)
    found = connection.execute(_of(use_case).where(there).order_by(*_NEWEST_FIRST))
    return tuple(Report(*row) for row in found)


def forget_files(connection: Connection, report_id: str) -> None:
    """Notes that a report's files are gone; its row stays."""
    connection.execute(update(_TABLE).where(_TABLE.c.report_id == report_id).values(html=None, json=None))


def _of(use_case: str, state: ReportState | None = None) -> Select[Any]:
    wanted = select(*_COLUMNS).where(_TABLE.c.use_case == use_case)
    return wanted if state is None else wanted.where(_TABLE.c.state == state)


def _first(connection: Connection, wanted: Select[Any]) -> Report | None:
    row = connection.execute(wanted).first()
    return None if row is None else Report(*row)


def _take_turn(connection: Connection, use_case: str) -> None:
    # PostgreSQL: two that ask, or claim, at once would each not see the other.
    take_turn(connection, f"reports of {use_case}", alone=True)


def _must(moved: bool, report_id: str, otherwise: str) -> None:
    if not moved:
        raise ReportNotOpen(f"the report {report_id} {otherwise}; see the list of reports")


def _moved(
    connection: Connection,
    report_id: str,
    from_states: tuple[ReportState, ...],
    values: dict[str, Any],
    claimed_by: str | None = None,
) -> bool:
    moved = (
        update(_TABLE).where(_TABLE.c.report_id == report_id, _TABLE.c.state.in_(from_states)).values(values)
    )
    if claimed_by is not None:
        moved = moved.where(_TABLE.c.claimed_by == claimed_by)
    return connection.execute(moved).rowcount == 1
