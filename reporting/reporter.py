"""The reporter: a long-lived process that makes reports as they are asked for or due, one at a time.

Light itself: each report is made in a child process, and neither pandas nor Evidently is imported here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from loop.claims import Claim
from loop.clock import now_ms
from loop.progress import Progress, Silence
from loop.refusals import Refusal, StorageUnavailable
from loop.report_times import DueReport, due_report
from loop.stopping import Stopped
from reporting.abandoned import abandoned_reports, settle_abandoned
from reporting.child import Ended, Task, make_in_child
from storage.database import Database
from storage.overview import last_move_to_production
from storage.presence import Presence
from storage.reports import (
    Report,
    ReportNotOpen,
    claim_report,
    fail_report,
    find_report,
    latest_own_request_ms,
    request_report,
    requeue_report,
    tell_report,
)
from storage.windows import answers_since, first_answer_ms
from use_cases.schema import Policy

log = logging.getLogger("rebento.reporter")

MOST_SECONDS = 1_800.0
"""How long a report may take: a million rows take minutes."""


def see_through(
    report: Report, task: Task, database: Database, *, progress: Progress, most_seconds: float = MOST_SECONDS
) -> Report:
    """Makes a claimed report in a child process; the report as it ended, failed where the process died.

    Where this is left by an exception, the report still counts as running.
    """

    def beat() -> None:
        try:
            with database.writing(durable=False) as connection:
                tell_report(connection, report.report_id, now_ms(), task.claimed_by)
        except StorageUnavailable as refusal:  # the child needs the database only at its end
            log.warning("a report could not say that it goes on report=%s: %s", report.report_id, refusal)

    ended = make_in_child(task, progress, within_seconds=most_seconds, beat=beat)
    return _settled(report, ended, database)


def _settled(report: Report, ended: Ended, database: Database) -> Report:
    with database.writing() as connection:
        now = find_report(connection, report.report_id) or report
        if now.state == "running" and now.claimed_by == report.claimed_by:
            reason = ended.reason or "its process ended without a word"
            fail_report(connection, report.report_id, now_ms(), reason, claimed_by=report.claimed_by)
            now = find_report(connection, report.report_id) or now
    return now


@dataclass
class Reporter:
    """Makes the reports of one use case until `stopping` is set."""

    task: Task
    """What every report is made with; its id and claim are those of each."""
    read_policy: Callable[[], Policy]
    """Read anew at every look: a person may have changed it."""
    database: Database
    stopping: threading.Event
    poll_seconds: float = 2.0
    claim: Claim = field(default_factory=lambda: Claim.of_this_process("reporter", now_ms()))
    _said: str = ""

    def work(self) -> None:
        """Makes reports, and asks for them where the schedule says so, until `stopping` is set.

        A failed report is marked and logged, a database that is away is waited for: neither ends this.
        """
        with Presence(self.database, self.task.use_case, self.claim):
            log.info("the reporter waits for reports use_case=%s", self.task.use_case)
            while not self.stopping.is_set():
                try:
                    self._take_up()
                    self._ask_where_due()
                    while self._make_next():
                        continue
                    self.stopping.wait(self.poll_seconds)
                except Stopped:
                    return
                except StorageUnavailable as refusal:
                    self._wait_because(f"waiting for the database: {refusal}")
                except Refusal as refusal:  # a use case that cannot be read, say: it may be mended meanwhile
                    self._wait_because(f"no report can be made: {refusal}")

    def _take_up(self) -> None:
        with self.database.reading() as connection:
            found = abandoned_reports(connection, self.task.use_case, self.claim, now_ms())
            if next(found, None) is None:
                return
        with self.database.writing() as connection:
            done = settle_abandoned(connection, self.task.use_case, self.claim, now_ms())
        for sentence in done:
            log.warning("%s", sentence)

    def _ask_where_due(self) -> None:
        at_ms = now_ms()
        due = self._due(at_ms)
        if due is None:
            return
        with self.database.writing() as connection:
            request_report(
                connection, self.task.use_case, trigger=due.trigger, reason=due.reason, at_ms=at_ms
            )

    def _due(self, at_ms: int) -> DueReport | None:
        policy, name = self.read_policy(), self.task.use_case
        if policy.report_hours is None:
            return None
        with self.database.reading() as connection:
            move = last_move_to_production(connection, name)
            promoted_at_ms = None if move is None else move.changed_at_ms
            last_asked_ms = latest_own_request_ms(connection, name)
            is_seen = promoted_at_ms is None or (
                last_asked_ms is not None and last_asked_ms >= promoted_at_ms
            )
            return due_report(
                report_hours=policy.report_hours,
                first_answer_ms=first_answer_ms(connection, name),
                last_asked_ms=last_asked_ms,
                promoted_at_ms=promoted_at_ms,
                answers_since=0
                if is_seen
                else answers_since(connection, name, promoted_at_ms or 0, policy.report_rows),
                report_rows=policy.report_rows,
                now_ms=at_ms,
            )

    def _make_next(self) -> bool:
        """Makes the report that is next; False: none waits."""
        with self.database.writing() as connection:
            report = claim_report(connection, self.task.use_case, now_ms(), str(self.claim))
        if report is None:
            return False
        log.info("a report begins report=%s trigger=%s: %s", report.report_id, report.trigger, report.reason)
        task = replace(self.task, report_id=report.report_id, claimed_by=str(self.claim))
        try:
            ended = see_through(report, task, self.database, progress=Silence())
        except Stopped:
            self._put_back(report)
            raise
        if ended.state == "done":
            log.info("a report ended report=%s name=%s: %s", ended.report_id, ended.name, ended.sentence)
        else:
            log.error("a report failed report=%s: %s", ended.report_id, ended.error)
        return True

    def _put_back(self, report: Report) -> None:
        """Lets the report wait for the next start, unless its decision is there already."""
        with self.database.writing() as connection:
            now = find_report(connection, report.report_id)
            if now is None or now.state != "running":
                return
            try:
                if now.decision is None:
                    requeue_report(
                        connection, now.report_id, now_ms(), "the reporter was told to stop", counts=False
                    )
                else:
                    fail_report(
                        connection, now.report_id, now_ms(), "stopped after the decision, before it was drawn"
                    )
            except ReportNotOpen:  # its child has ended it in this moment
                return
        log.info("the report waits for the next start report=%s", report.report_id)

    def _wait_because(self, sentence: str) -> None:
        """Logs a state once, not at every look."""
        if sentence != self._said:
            log.info("%s", sentence)
        self._said = sentence
        self.stopping.wait(self.poll_seconds)
