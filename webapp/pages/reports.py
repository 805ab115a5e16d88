"""Reports: the list, one page each, and reporting now. Their files are served by `report_files`."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import ClassVar

from sqlalchemy import Connection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from loop.clock import now_ms
from storage.decisions import find_decision
from storage.processes import alive
from storage.reports import Report, reports, request_report
from webapp.fingerprint import fingerprint, unchanged
from webapp.language import Speech
from webapp.pages.report_files import kept_file, report_of
from webapp.report_numbers import ColumnLine, Numbers, in_short, in_words, numbers_of
from webapp.report_request import MOST_DAYS, MOST_ROWS, Asked, WindowRefused, asked_json, asked_of, blank
from webapp.report_request import in_words as window_in_words
from webapp.site import Site, see_other, site
from webapp.views import View

_SHOWN = 30
_REPORTER = "reporter"


@dataclass(frozen=True, slots=True)
class Listed:
    """One report in the list."""

    report: Report
    window: str
    """What was asked, in words."""
    advice: str
    """The decision in words, short."""


@dataclass(frozen=True, kw_only=True)
class ReportsView(View):
    """The list."""

    template: ClassVar[str] = "reports.html"
    regions: ClassVar[tuple[str, ...]] = ("standing",)
    listed: tuple[Listed, ...]
    older: str
    """After which report the next ones come; empty: these are all."""
    before: str
    """As `older`, of this page itself."""
    has_reporter: bool
    is_open: bool
    """One waits or runs."""
    asked: Asked
    most_rows: int
    most_days: int
    snapshots: tuple[str, ...]
    """Days of the source's snapshots; empty: it has fewer than two."""
    mark: str


@dataclass(frozen=True, kw_only=True)
class ReportView(View):
    """One report."""

    template: ClassVar[str] = "report.html"
    regions: ClassVar[tuple[str, ...]] = ("standing", "evidently")
    report: Report
    window: str
    sentences: tuple[str, ...]
    numbers: Numbers | None
    columns: tuple[ColumnLine, ...]
    """Inputs, predictions and truths; drifted ones first."""
    dimensions: tuple[ColumnLine, ...]
    """Of the embedding, likewise."""
    methods: tuple[str, ...]
    """How the distances were measured."""
    run_id: str | None
    """The training run that a RETRAIN led to, or that had answered it already."""
    has_reporter: bool
    html_bytes: int | None
    """None: the file is not there (any more)."""
    json_bytes: int | None
    shows_frame: bool
    mark: str


async def show(request: Request) -> Response:
    return await _show(site(request), request, blank(_snapshots(site(request))))


async def report_now(request: Request, form: FormData) -> Response:
    """Asks for a report, and shows it."""
    here = site(request)
    snapshots = _snapshots(here)
    asked = asked_of(form, snapshots)
    try:
        wanted = asked_json(asked, snapshots, here.speech(request))
    except WindowRefused as refusal:
        return await _show(here, request, replace(asked, field=refusal.field, problem=str(refusal)))
    made = await here.write(
        request_report,
        here.plan.use_case,
        trigger="person",
        reason="report now, on the pages",
        asked_json=wanted,
        at_ms=now_ms(),
    )
    return see_other(f"/reports/{made.report_id}")


async def show_one(request: Request) -> Response:
    here = site(request)
    found = await report_of(request)
    has_reporter = await here.read(_has_reporter, here.plan.use_case, now_ms())
    run_id = await here.read(_led_to, found)
    shows_frame = request.query_params.get("show") == "evidently"
    mark = fingerprint(found.state, found.ended_at_ms, found.html, run_id, has_reporter)
    same = unchanged(request, mark)
    if same is not None:
        return same
    speech = here.speech(request)
    numbers = numbers_of(found)
    files = [kept_file(here.plan.home, found.report_id, path) for path in (found.html, found.json)]
    view = ReportView(
        report=found,
        window=_window(found, speech),
        sentences=in_words(found, numbers, speech),
        numbers=numbers,
        columns=numbers.raw_columns if numbers else (),
        dimensions=numbers.of_group("embedding") if numbers else (),
        methods=numbers.methods if numbers else (),
        run_id=run_id,
        has_reporter=has_reporter,
        html_bytes=files[0].stat().st_size if files[0] else None,
        json_bytes=files[1].stat().st_size if files[1] else None,
        shows_frame=shows_frame and files[0] is not None,
        mark=mark,
    )
    return await here.render(request, view)


async def _show(here: Site, request: Request, asked: Asked) -> Response:
    before = request.query_params.get("before", "")[:80]
    found, has_reporter = await here.read(_read, here.plan.use_case, before or None, now_ms())
    mark = fingerprint([(one.report_id, one.state, one.html) for one in found], has_reporter)
    same = unchanged(request, mark)
    if same is not None:
        return same
    speech = here.speech(request)
    shown = found[:_SHOWN]
    view = ReportsView(
        listed=tuple(_listed(one, speech) for one in shown),
        older=shown[-1].report_id if len(found) > _SHOWN else "",
        before=before,
        has_reporter=has_reporter,
        is_open=any(one.state in ("requested", "running") for one in found),
        asked=asked,
        most_rows=MOST_ROWS,
        most_days=MOST_DAYS,
        snapshots=_snapshots(here),
        mark=mark,
    )
    return await here.render(request, view, 422 if asked.problem else 200)


def _read(
    connection: Connection, use_case: str, before: str | None, at_ms: int
) -> tuple[tuple[Report, ...], bool]:
    found = reports(connection, use_case, limit=_SHOWN + 1, before=before)
    return found, _has_reporter(connection, use_case, at_ms)


def _has_reporter(connection: Connection, use_case: str, at_ms: int) -> bool:
    return alive(connection, use_case, _REPORTER, at_ms=at_ms) is not None


def _led_to(connection: Connection, report: Report) -> str | None:
    made = None if report.decision_id is None else find_decision(connection, report.decision_id)
    return None if made is None else made.run_id


def _listed(report: Report, speech: Speech) -> Listed:
    return Listed(report, _window(report, speech), in_short(report, numbers_of(report), speech))


def _window(report: Report, speech: Speech) -> str:
    return window_in_words(json.loads(report.asked_json or "{}"), speech)


def _snapshots(here: Site) -> tuple[str, ...]:
    days = tuple(sorted(one.date.isoformat() for one in here.use_case().source.snapshots))
    return days if len(days) > 1 else ()
