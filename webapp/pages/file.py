"""Predict a file: upload, what is wrong before anything runs, progress, answers by the page, download."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from loop.clock import now_ms
from loop.refusals import Refusal
from webapp.answered import PAGE_ROWS, Summary, page_of, safe_for_spreadsheets, summarise
from webapp.bentos import Bento
from webapp.jobs import Jobs
from webapp.matching import Check, Match, Sample, check, matches, read_sample
from webapp.site import Site, see_other, site
from webapp.uploads import Upload, Uploads
from webapp.views import View

#: A body's most bytes: a million rows of twenty short columns.
MOST_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class Listed:
    """An upload in the list."""

    upload: Upload
    state: str
    """As Upload's, or interrupted."""


@dataclass(frozen=True, kw_only=True)
class FilesView(View):
    """The page where files are uploaded."""

    template: ClassVar[str] = "files.html"
    bento: Bento | None
    """None: nothing is in Production."""
    most_bytes: int
    listed: tuple[Listed, ...]
    problem: str
    """Why the upload was not taken."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What is known of a file before anything runs."""

    sample: Sample
    matches: tuple[Match, ...]
    check: Check

    @property
    def can_start(self) -> bool:
        return bool(self.sample.rows) and all(match.state != "missing" for match in self.matches)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of answers."""

    summary: Summary
    rows: list[list[str]]
    number: int
    """From 1."""
    pages: int
    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class FileView(View):
    """The page of one file."""

    template: ClassVar[str] = "file.html"
    regions: ClassVar[tuple[str, ...]] = ("job", "answers")
    upload: Upload
    state: str
    preview: Preview | None
    """Where it was not started yet."""
    answered: int
    """Rows so far."""
    page: Page | None
    """Where it is done."""


def jobs_of(request: Request) -> Jobs:
    """The one of this process."""
    here = site(request)
    state = request.app.state
    if not hasattr(state, "jobs"):
        environment = {"REBENTO_HOME": str(here.plan.home), "REBENTO_DATABASE_URL": here.plan.database_url}
        folder = here.use_case().folder
        if folder is not None:
            environment["REBENTO_USE_CASES"] = str(folder.parent)
        state.jobs = Jobs(Uploads(here.plan.home / "uploads"), here.plan.use_case, environment)
    found: Jobs = state.jobs
    return found


async def show_all(request: Request) -> Response:
    return await _files(request)


async def upload(request: Request, form: FormData) -> Response:
    here, jobs = site(request), jobs_of(request)
    sent = form.get("file")
    speech = here.speech(request)
    if not isinstance(sent, UploadFile) or not sent.filename:
        return await _files(request, speech.gettext("Choose a file first."))
    standing = await here.champion()
    if standing is None:
        return see_other("/files")
    await run_in_threadpool(jobs.uploads.prune, now_ms(), jobs.at_work)
    try:
        kept = await run_in_threadpool(jobs.uploads.add, sent.file, sent.filename, now_ms())
        try:
            await _sample(jobs, kept, standing[1])
        except Refusal:
            jobs.uploads.remove(kept)
            raise
    except Refusal as refusal:
        return await _files(request, str(refusal))
    return see_other(f"/files/{kept.upload_id}")


async def show(request: Request) -> Response:
    here, jobs = site(request), jobs_of(request)
    kept = jobs.uploads.of(request.path_params["upload_id"])
    state = jobs.state_of(kept)
    preview = page = None
    if state == "uploaded":
        standing = await here.champion()
        if standing is not None:
            preview = await _preview(here, request, jobs, kept, standing[1])
    elif state == "done":
        page = await run_in_threadpool(
            _page, jobs.uploads.answers_path(kept), request.query_params.get("page", "1")
        )
    answered = await run_in_threadpool(jobs.rows_answered, kept) if state == "running" else 0
    view = FileView(upload=kept, state=state, preview=preview, answered=answered, page=page)
    return await here.render(request, view)


async def start(request: Request, form: FormData) -> Response:
    jobs = jobs_of(request)
    kept = jobs.uploads.of(request.path_params["upload_id"])
    if jobs.state_of(kept) != "done":
        jobs.start(kept)
    return see_other(f"/files/{kept.upload_id}")


async def remove(request: Request, form: FormData) -> Response:
    jobs = jobs_of(request)
    kept = jobs.uploads.of(request.path_params["upload_id"])
    await jobs.stop(kept)
    await run_in_threadpool(jobs.uploads.remove, kept)
    site(request).kept.pop("preview", None)  # it holds rows of somebody's
    return see_other("/files")


async def download(request: Request) -> Response:
    """The answers as CSV, safe to open in a spreadsheet."""
    jobs = jobs_of(request)
    kept = jobs.uploads.of(request.path_params["upload_id"])
    path = jobs.uploads.answers_path(kept)
    if jobs.state_of(kept) != "done" or not path.is_file():
        return see_other(f"/files/{kept.upload_id}")
    headers = {"content-disposition": 'attachment; filename="answers.csv"'}
    return StreamingResponse(safe_for_spreadsheets(path), headers=headers, media_type="text/csv")


async def _files(request: Request, problem: str = "") -> Response:
    here, jobs = site(request), jobs_of(request)
    standing = await here.champion()
    kept = await run_in_threadpool(jobs.uploads.all)
    view = FilesView(
        bento=standing[1] if standing else None,
        most_bytes=MOST_BYTES,
        listed=tuple(Listed(one, jobs.state_of(one)) for one in kept),
        problem=problem,
    )
    return await here.render(request, view, 422 if problem else 200)


async def _sample(jobs: Jobs, kept: Upload, bento: Bento) -> Sample:
    return await run_in_threadpool(read_sample, jobs.uploads.rows_path(kept), bento.contract, kept.name)


async def _preview(here: Site, request: Request, jobs: Jobs, kept: Upload, bento: Bento) -> Preview:
    """Of the file shown last it is remembered, once the service has looked at it."""
    key = (kept.upload_id, bento.tag, here.speech(request).tag)
    if here.kept.get("preview", (None,))[0] == key:
        remembered: Preview = here.kept["preview"][1]
        return remembered
    sample = await _sample(jobs, kept, bento)
    columns = matches(bento.contract, sample.names)
    is_complete = sample.rows and all(match.state != "missing" for match in columns)
    checked = await check(here.runner, sample, here.speech(request)) if is_complete else Check(0, ())
    found = Preview(sample, columns, checked)
    if checked.rows:
        here.kept["preview"] = (key, found)
    return found


def _page(path: Path, asked: str) -> Page:
    summary = summarise(path)
    pages = max(-(-summary.rows // PAGE_ROWS), 1)
    number = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else 1
    number = min(max(number, 1), pages)
    rows = page_of(path, number - 1)
    first = (number - 1) * PAGE_ROWS
    return Page(summary, rows, number, pages, first + 1, first + len(rows))
