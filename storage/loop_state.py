"""How the loop stands: counts and last moments, for whoever watches it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Column, Connection, func, select

from storage import schema
from storage.automation import Automation, automation
from storage.counters import last_known_at_ms, production_rows
from storage.decisions import StoredDecision, decisions
from storage.overview import in_quarantine, last_move_to_production
from storage.promotions import next_promotion, open_promotions
from storage.reports import Report, last_report, reports
from storage.runs import Run, running_run, runs, waiting_runs
from storage.versions import champion, versions

_WEEK_MS = 7 * 86_400_000
_LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class LoopState:
    """One use case at one moment. None: never was, or not known."""

    champion: str | None
    champion_since_ms: int | None
    staged: int
    production_rows: int
    labels_changed_at_ms: int
    """0: never."""
    quarantined: int
    automation: Automation
    runs: dict[str, int]
    """State -> how many ended so."""
    runs_waiting: int
    run_is_active: bool
    runs_failed_in_a_row: int
    last_run: Run | None
    verdicts: dict[str, int]
    promotions: dict[tuple[str, str], int]
    """(kind, state) -> how many ended so."""
    promotions_waiting: int
    decisions: dict[tuple[str, str], int]
    """(kind, decision) -> how many."""
    quality: StoredDecision | None
    """The last look at realised quality."""
    reports: dict[str, int]
    reports_waiting: int
    reports_failed_in_a_row: int
    last_report: Report | None
    """The last that succeeded."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Predictions of the last seven days, and those of them that are labelled."""

    predictions: int
    labelled: int
    newest_ms: int | None


def loop_state(connection: Connection, use_case: str) -> LoopState:
    """A few queries, each on an index and over few rows."""
    holder = champion(connection, use_case)
    move = last_move_to_production(connection, use_case)
    ended_runs = [
        run for run in runs(connection, use_case, limit=_LOOKED_AT) if run.state in ("built", "failed")
    ]
    newest_reports = [
        one for one in reports(connection, use_case, limit=_LOOKED_AT) if one.state in ("done", "failed")
    ]
    reported = _counts(
        connection, schema.reports.c.state, use_case, ("requested", "running", "done", "failed")
    )
    open_reports = reported["requested"] + reported["running"]
    quality = decisions(connection, use_case, kind="quality", limit=1)
    return LoopState(
        champion=None if holder is None else holder.tag,
        champion_since_ms=None if move is None else move.changed_at_ms,
        staged=sum(one.stage == "Staging" for one in versions(connection, use_case)),
        production_rows=production_rows(connection, use_case),
        labels_changed_at_ms=last_known_at_ms(connection, use_case),
        quarantined=in_quarantine(connection, use_case),
        automation=automation(connection, use_case),
        runs=_counts(connection, schema.runs.c.state, use_case, ("built", "failed", "superseded")),
        runs_waiting=len(waiting_runs(connection, use_case)),
        run_is_active=running_run(connection, use_case) is not None,
        runs_failed_in_a_row=_failed_in_a_row([run.state for run in ended_runs]),
        last_run=ended_runs[0] if ended_runs else None,
        verdicts=_counts(
            connection, schema.verdicts.c.decision, use_case, ("promote", "keep", "more labels")
        ),
        promotions=_pairs(connection, schema.promotions.c.kind, schema.promotions.c.state, use_case),
        promotions_waiting=len(open_promotions(connection, use_case))
        + (next_promotion(connection, use_case) is not None),
        decisions=_pairs(connection, schema.decisions.c.kind, schema.decisions.c.decision, use_case),
        quality=quality[0] if quality else None,
        reports={state: reported[state] for state in ("done", "failed")},
        reports_waiting=open_reports,
        reports_failed_in_a_row=_failed_in_a_row([one.state for one in newest_reports]),
        last_report=last_report(connection, use_case),
    )


def coverage(connection: Connection, use_case: str, at_ms: int) -> Coverage:
    """Reads the indexes of a week's predictions: about 50 ms for each million."""
    table = schema.predictions
    recent = (table.c.use_case == use_case, table.c.predicted_at_ms >= at_ms - _WEEK_MS)
    given = connection.scalar(select(func.count()).where(*recent)) or 0
    open_ones = connection.scalar(select(func.count()).where(*recent, ~table.c.is_labelled)) or 0
    newest = connection.scalar(select(func.max(table.c.predicted_at_ms)).where(table.c.use_case == use_case))
    return Coverage(int(given), int(given - open_ones), newest)


def _counts(
    connection: Connection, column: Column[str], use_case: str, known: Sequence[str]
) -> dict[str, int]:
    """How many rows have each of the known values, those that none has among them."""
    grouped = select(column, func.count()).where(column.table.c.use_case == use_case).group_by(column)
    found = {str(value): int(count) for value, count in connection.execute(grouped)}
    return {value: found.get(value, 0) for value in known}


def _pairs(
    connection: Connection, first: Column[str], second: Column[str], use_case: str
) -> dict[tuple[str, str], int]:
    grouped = (
        select(first, second, func.count()).where(first.table.c.use_case == use_case).group_by(first, second)
    )
    return {(str(one), str(other)): int(count) for one, other, count in connection.execute(grouped)}


def _failed_in_a_row(states: Sequence[str]) -> int:
    """`states`: newest first."""
    return next((place for place, state in enumerate(states) if state != "failed"), len(states))
