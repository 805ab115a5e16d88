"""The files of a report: to keep, and Evidently's page in a frame that may do nothing but draw itself."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from loop.refusals import Refusal
from storage.reports import Report, find_report
from webapp.site import site

#: Evidently's page brings its scripts and styles within it: they run in an origin of their own, where they
#: see neither cookies nor these pages, and nothing is asked of any network.
FRAME_POLICY = "; ".join(
    (
        "sandbox allow-scripts",
        "default-src 'none'",
        "script-src 'unsafe-inline'",
        "style-src 'unsafe-inline'",
        "img-src data: blob:",
        "font-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    )
)


class ReportFileGone(Refusal):
    """A report whose file was removed, or never came to be."""


_BELONGS = re.compile(rb'"rebento-report" content="([^"]*)"|\A\{\s*"report": "([^"]*)"')
_BELONGS_WITHIN_BYTES = 4_096


def kept_file(home: Path, report_id: str, told: str | None) -> Path | None:
    """The file that a report's row names, where it is there, its own, and among this home's reports.

    A comparison made again takes the place of the one before; killed in that moment, it leaves files that
    the older row names and that are not its own. Files of earlier releases do not say whose they are.
    """
    if not told:
        return None
    folder = (home / "reports").resolve()
    path = (home / told).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        return None
    with path.open("rb") as file:
        said = _BELONGS.search(file.read(_BELONGS_WITHIN_BYTES))
    is_own = said is None or report_id.encode() in said.groups()
    return path if is_own else None


async def report_of(request: Request) -> Report:
    """The report that the path names. Raises 404, also for another use case's."""
    here = site(request)
    found = await here.read(find_report, str(request.path_params["report_id"]))
    if found is None or found.use_case != here.plan.use_case:
        raise HTTPException(404)
    return found


async def frame(request: Request) -> Response:
    """Evidently's page, for the frame."""
    found = await report_of(request)
    answer = FileResponse(_file(request, found, found.html), media_type="text/html; charset=utf-8")
    return _guarded(answer)


async def download_html(request: Request) -> Response:
    found = await report_of(request)
    path = _file(request, found, found.html)
    return _guarded(FileResponse(path, filename=path.name, media_type="text/html; charset=utf-8"))


async def download_json(request: Request) -> Response:
    found = await report_of(request)
    path = _file(request, found, found.json)
    return _guarded(FileResponse(path, filename=path.name, media_type="application/json"))


def _file(request: Request, report: Report, told: str | None) -> Path:
    path = kept_file(site(request).plan.home, report.report_id, told)
    if path is None:
        raise ReportFileGone(
            f"the file of report {report.report_id} is not there: old ones are removed, and a report that "
            "failed may have none. Its numbers stay on its page; ask for a new report"
        )
    return path


def _guarded(answer: Response) -> Response:
    answer.headers["content-security-policy"] = FRAME_POLICY
    answer.headers["x-frame-options"] = "SAMEORIGIN"
    return answer
