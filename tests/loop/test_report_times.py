"""When a report is due."""

from __future__ import annotations

from typing import Any

from loop.report_times import due_report

HOUR = 3_600_000


def trigger(**changes: Any) -> str | None:
    told: dict[str, Any] = {
        "report_hours": 24.0,
        "first_answer_ms": 0,
        "last_asked_ms": None,
        "promoted_at_ms": None,
        "answers_since": 0,
        "report_rows": 1_000,
        "now_ms": HOUR,
    }
    due = due_report(**told | changes)
    return None if due is None else due.trigger


def test_a_schedule_counts_from_the_last_report_else_from_the_first_answer() -> None:
    assert trigger(now_ms=24 * HOUR - 1) is None
    assert trigger(now_ms=24 * HOUR) == "schedule"
    assert trigger(now_ms=24 * HOUR, last_asked_ms=HOUR) is None
    assert trigger(now_ms=25 * HOUR, last_asked_ms=HOUR) == "schedule"


def test_nothing_is_due_before_the_first_answer_or_without_a_schedule() -> None:
    assert trigger(now_ms=99 * HOUR, first_answer_ms=None) is None
    assert trigger(now_ms=99 * HOUR, report_hours=None, promoted_at_ms=1, answers_since=2_000) is None


def test_a_new_champion_is_looked_at_once_when_it_has_answered_enough_for_an_hour() -> None:
    later = HOUR + 10
    assert trigger(promoted_at_ms=10, answers_since=999, now_ms=later) is None
    assert trigger(promoted_at_ms=10, answers_since=1_000, now_ms=later - 1) is None
    assert trigger(promoted_at_ms=10, answers_since=1_000, now_ms=later) == "promotion"
    assert trigger(promoted_at_ms=10, answers_since=1_000, now_ms=later, last_asked_ms=9) == "promotion"
    assert trigger(promoted_at_ms=10, answers_since=1_000, now_ms=later, last_asked_ms=10) is None
