"""Evidently's dashboard of a made-up past: a report for each of its weeks, then the page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect

from benchmarks.servers import free_port, running
from loop.clock import now_ms
from loop.progress import Silence
from storage.database import Database
from storage.reports import claim_report, request_report
from use_cases.use_case import read_use_case

_WEEK_MS = 7 * 86_400_000
_CLAIM = "screenshots"


def report_each_week(home: Path, use_case: str, folder: Path, database_url: str, weeks: int) -> None:
    """Makes the reports that a reporter would have made at the end of each of the last weeks."""
    from reporting.run import Reporting, make_report  # Evidently takes seconds to load

    ends_ms = now_ms()
    with closing(Database.open(database_url)) as database:
        for ago in reversed(range(weeks)):
            at_ms = ends_ms - ago * _WEEK_MS
            with database.writing() as connection:
                asked = request_report(
                    connection,
                    use_case,
                    trigger="schedule",
                    reason="a week",
                    asked_json=json.dumps({"last_days": 7}),
                    at_ms=at_ms,
                )
                claimed = claim_report(connection, use_case, at_ms, _CLAIM, report_id=asked.report_id)
            assert claimed is not None
            reporting = Reporting(
                use_case=read_use_case(use_case, [folder]),
                home=home,
                data=folder,
                database=database,
                claimed_by=_CLAIM,
                progress=Silence(),
                now_ms=lambda at_ms=at_ms: at_ms,
            )
            make_report(claimed, reporting)


@contextmanager
def evidently_pages(python: Path, home: Path, log: Path) -> Iterator[str]:
    """The address of Evidently's pages of an installation."""
    port = free_port()
    command = [str(python), "-m", "reporting.ui", "--workspace", str(home / "evidently"), "--port", str(port)]
    with running(command, f"http://127.0.0.1:{port}/", None, {}, log):
        yield f"http://127.0.0.1:{port}/"


def show_dashboard(page: Page, address: str, use_case: str) -> None:
    """Goes to the dashboard of a use case and waits until its numbers are drawn."""
    page.goto(address, timeout=120_000)
    page.get_by_text(use_case, exact=True).first.click()
    expect(page.get_by_text("Share of inputs as before, newest report")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("realised", exact=True).first).to_be_visible(timeout=60_000)
    page.wait_for_load_state("networkidle")
