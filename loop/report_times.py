"""When a report is due that no person asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class DueReport:
    """Why a report is to be made now."""

    trigger: Literal["schedule", "promotion"]
    reason: str


def due_report(
    *,
    report_hours: float | None,
    first_answer_ms: int | None,
    last_asked_ms: int | None,
    promoted_at_ms: int | None,
    answers_since: int,
    report_rows: int,
    now_ms: int,
) -> DueReport | None:
    """The report that is due now, if any. Instants in milliseconds; None: there was none.

    By schedule: so many hours after the last that no person asked for, however that ended, or after the first
    answer ever given. After a promotion: once the new champion has been there for an hour and has given
    `report_rows` answers (`answers_since` its promotion), where no report has been asked for since. Without a
    schedule there is neither.

    >>> due_report(report_hours=24, first_answer_ms=0, last_asked_ms=None, promoted_at_ms=None,
    ...            answers_since=10, report_rows=1000, now_ms=25 * 3_600_000)
    DueReport(trigger='schedule', reason='25.0 hours since the first answer, scheduled every 24')
    >>> due_report(report_hours=24, first_answer_ms=0, last_asked_ms=5_000, promoted_at_ms=6_000,
    ...            answers_since=1200, report_rows=1000, now_ms=3_700_000)
    DueReport(trigger='promotion', reason='the new champion has given 1,200 answers')
    """
    if report_hours is None or first_answer_ms is None:
        return None
    since_ms, what = (
        (first_answer_ms, "the first answer") if last_asked_ms is None else (last_asked_ms, "the last")
    )
    hours = (now_ms - since_ms) / _HOUR_MS
    if hours >= report_hours:
        return DueReport("schedule", f"{hours:.1f} hours since {what}, scheduled every {report_hours:g}")
    is_unseen = promoted_at_ms is not None and (last_asked_ms is None or last_asked_ms < promoted_at_ms)
    if is_unseen and now_ms - (promoted_at_ms or 0) >= _HOUR_MS and answers_since >= report_rows:
        return DueReport("promotion", f"the new champion has given {answers_since:,} answers")
    return None
