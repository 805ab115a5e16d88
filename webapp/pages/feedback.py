"""Feedback later: find an answer, tell the open ones one after another, bring a file, mind the quarantine."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from loop.clock import now_ms
from storage.counters import production_rows
from storage.open_predictions import Found, next_open, open_predictions, search_predictions
from storage.predictions import Prediction
from storage.quarantine import QuarantinedRow, SuspendedSource, quarantined, suspended_sources
from webapp.answers import Bar
from webapp.bentos import Bento
from webapp.pages.file import jobs_of
from webapp.pages.predict import SOURCE
from webapp.site import Site, see_other, site
from webapp.truths import NotTruths, read_truths, send_truths
from webapp.views import View

#: A body's most bytes: some fifty thousand lines.
MOST_BYTES = 5_000_000
_LISTED = 10
_FOUND = 50
_QUARANTINED = 100


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for, as it was typed."""

    text: str
    since: str
    until: str
    found: tuple[Found, ...] | None
    """None: nothing was asked."""
    more: bool
    """There are more than are shown."""


@dataclass(frozen=True, slots=True)
class _Stored:
    labelled: int
    open: tuple[Found, ...]
    found: tuple[Found, ...] | None
    sources: tuple[SuspendedSource, ...]
    rows: tuple[QuarantinedRow, ...]


@dataclass(frozen=True, kw_only=True)
class FeedbackView(View):
    """The page."""

    template: ClassVar[str] = "feedback.html"
    labels_wanted: int
    """Until the next training; 0: nothing is in Production."""
    open: tuple[Found, ...]
    search: Search
    most_bytes: int
    problem: str
    """Why the uploaded file was not taken."""
    report: dict[str, Any] | None
    """What became of the last file: see webapp.truths.Outcome."""
    sources: tuple[SuspendedSource, ...]
    rows: tuple[QuarantinedRow, ...]
    """Set aside one by one, not with their source."""


@dataclass(frozen=True, kw_only=True)
class OpenView(View):
    """One open prediction, asked about."""

    template: ClassVar[str] = "open_prediction.html"
    regions: ClassVar[tuple[str, ...]] = ("open",)
    prediction: Prediction | None
    """None: there is none left."""
    after: str
    """The one before, in the order."""
    values: tuple[tuple[str, str], ...]
    """Column and value, as they were sent."""
    bars: tuple[Bar, ...]
    classes: tuple[str, ...]
    target: str
    labels_wanted: int
    told: str
    """What was just told; empty: nothing."""


async def show(request: Request) -> Response:
    return await _page(request)


async def show_next(request: Request) -> Response:
    """The least certain of the open predictions, or of those after one that was left out."""
    here = site(request)
    after = request.query_params.get("after", "")
    prediction, labelled = await here.read(_next, here.plan.use_case, after or None)
    standing = await here.champion()
    bento = standing[1] if standing else None
    shares: dict[str, float] = json.loads(prediction.probabilities_json) if prediction else {}
    view = OpenView(
        prediction=prediction,
        after=after,
        values=_values(here, request, prediction),
        bars=tuple(
            Bar(name, share, prediction is not None and name == prediction.label)
            for name, share in sorted(shares.items(), key=lambda item: -item[1])
        ),
        classes=bento.contract.classes if bento else tuple(shares),
        target=bento.contract.target if bento else "",
        labels_wanted=_wanted(bento, labelled),
        told=request.query_params.get("told", "")[:200],
    )
    return await here.render(request, view)


async def tell(request: Request, form: FormData) -> Response:
    """What one open prediction was really; then the next."""
    prediction_id = str(form.get("prediction_id", ""))
    target = str(form.get("target", ""))
    item = {"prediction_id": prediction_id, "target": target, "source": SOURCE}
    await site(request).runner.feedback([item])
    return see_other(f"/feedback/next?{urlencode({'after': prediction_id, 'told': target})}")


async def upload(request: Request, form: FormData) -> Response:
    """A file of true answers: all that can be taken is; the report says what could not."""
    here, jobs = site(request), jobs_of(request)
    sent = form.get("file")
    if not isinstance(sent, UploadFile) or not sent.filename:
        return await _page(request, here.speech(request).gettext("Choose a file first."))
    try:
        truths = await run_in_threadpool(read_truths, sent.file)
    except NotTruths as refusal:
        return await _page(request, str(refusal))
    outcome = await send_truths(here.runner, truths, SOURCE)
    await run_in_threadpool(jobs.uploads.prune, now_ms(), jobs.at_work)
    report_id = await run_in_threadpool(jobs.uploads.add_report, asdict(outcome))
    return see_other(f"/feedback?report={report_id}#file")


async def _page(request: Request, problem: str = "") -> Response:
    here = site(request)
    asked = request.query_params
    text, since, until = (asked.get(name, "").strip()[:200] for name in ("q", "since", "until"))
    stored = await here.read(_read, here.plan.use_case, text, since, until)
    standing = await here.champion()
    report = asked.get("report")
    view = FeedbackView(
        labels_wanted=_wanted(standing[1] if standing else None, stored.labelled),
        open=stored.open,
        search=Search(
            text,
            since,
            until,
            stored.found[:_FOUND] if stored.found is not None else None,
            stored.found is not None and len(stored.found) > _FOUND,
        ),
        most_bytes=MOST_BYTES,
        problem=problem,
        report=await run_in_threadpool(jobs_of(request).uploads.report, report) if report else None,
        sources=stored.sources,
        rows=tuple(row for row in stored.rows if not row.of_suspension),
    )
    return await here.render(request, view, 422 if problem else 200)


def _read(connection: Connection, use_case: str, text: str, since: str, until: str) -> _Stored:
    found = None
    if text or since or until:
        found = search_predictions(
            connection,
            use_case,
            text=text,
            since_ms=_at_ms(since),
            until_ms=_at_ms(until),
            limit=_FOUND + 1,
        )
    return _Stored(
        labelled=production_rows(connection, use_case),
        open=open_predictions(connection, use_case, limit=_LISTED),
        found=found,
        sources=suspended_sources(connection, use_case),
        rows=quarantined(connection, use_case, _QUARANTINED),
    )


def _next(connection: Connection, use_case: str, after: str | None) -> tuple[Prediction | None, int]:
    return next_open(connection, use_case, after), production_rows(connection, use_case)


def _wanted(bento: Bento | None, labelled: int) -> int:
    return bento.k - labelled % bento.k if bento else 0


def _at_ms(typed: str) -> int | None:
    """The instant that a form's field names, UTC; None: it names none."""
    try:
        return int(datetime.fromisoformat(typed).replace(tzinfo=UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _values(here: Site, request: Request, prediction: Prediction | None) -> tuple[tuple[str, str], ...]:
    if prediction is None:
        return ()
    speech = here.speech(request)

    def shown(value: Any) -> str:
        if value is None:
            return speech.gettext("missing")
        if isinstance(value, bool):
            return speech.gettext("true") if value else speech.gettext("false")
        if isinstance(value, (int, float)):
            return speech.number(value)
        return str(value)

    return tuple((name, shown(value)) for name, value in json.loads(prediction.row_json).items())
