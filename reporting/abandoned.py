"""Reports whose process is gone: asked for again, or marked failed with the reason."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from loop.claims import Claim, is_gone
from storage.reports import Report, fail_report, requeue_report, running_reports
from storage.turns import take_turn

MOST_ATTEMPTS = 2
"""How often a report is begun: one that kills its process each time would do so for ever."""


def abandoned_reports(
    connection: Connection, use_case: str, here: Claim, at_ms: int
) -> Iterator[tuple[Report, Claim | None]]:
    """Reports that count as running though nobody makes them. `here` is who asks, and makes none now."""
    for report in running_reports(connection, use_case):
        held = Claim.parse(report.claimed_by or "")
        if is_gone(held, report.beat_at_ms or report.started_at_ms, here=here, at_ms=at_ms):
            yield report, held


def settle_abandoned(connection: Connection, use_case: str, here: Claim, at_ms: int) -> list[str]:
    """What was done with abandoned reports, a sentence each. In a writing transaction.

    The reporter's wait again, once. Not those that have come to their decision: the loop has acted on it,
    and a second one would ask for a second training. A command's fails, for the person has seen it end.
    """
    take_turn(connection, f"reports of {use_case}", alone=True)
    done = []
    for report, held in list(abandoned_reports(connection, use_case, here, at_ms)):
        named = f"report={report.report_id} claimed_by={report.claimed_by}"
        if held is not None and held.role == "command":
            reason = "its command was killed; run `rebento report` again"
        elif report.decision is not None:
            reason = "its process was killed after the decision, before the page was drawn"
        elif report.attempts + 1 >= MOST_ATTEMPTS:
            reason = (
                f"it was begun {report.attempts + 1} times, and each time its process was killed: the "
                "machine may lack memory; compare fewer rows"
            )
        else:
            requeue_report(connection, report.report_id, at_ms, "its reporter was killed")
            done.append(f"a report waits again, for its reporter was killed {named}")
            continue
        fail_report(connection, report.report_id, at_ms, reason)
        done.append(f"a report failed: {reason} {named}")
    return done
