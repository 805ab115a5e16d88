"""Every page and every change, in one table."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from urllib.parse import quote, urlsplit

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route

from webapp.assets import Assets
from webapp.language import marked
from webapp.pages import (
    comparison,
    confirmations,
    feedback,
    file,
    home,
    patterns,
    predict,
    quarantine,
    report_files,
    reports,
    runs,
    service,
    settings,
    versions,
    visitor,
)
from webapp.safety import refuse_foreign_origin
from webapp.site import VISIT, see_other, site
from webapp.views import Link

Show = Callable[[Request], Awaitable[Response]]
Act = Callable[[Request, FormData], Awaitable[Response]]

#: The navigation, in its order.
LINKS = (
    Link("/", marked("Home")),
    Link("/predict", marked("Predict")),
    Link("/files", marked("Predict a file")),
    Link("/feedback", marked("Feedback later")),
    Link("/versions", marked("Versions")),
    Link("/runs", marked("Training runs")),
    Link("/reports", marked("Reports")),
    Link("/settings", marked("Settings")),
)

#: Bytes of a request's body, where files are taken: path -> most.
UPLOAD_BYTES: dict[str, int] = {"/files": file.MOST_BYTES, "/feedback/file": feedback.MOST_BYTES}


def routes(assets: Assets) -> list[BaseRoute]:
    """The table."""
    return [
        shows("/", home.show),
        shows("/predict", predict.show),
        changes("/predict", predict.act),
        shows("/predictions/{prediction_id}", predict.show_stored, reads_rows=True),
        changes("/predictions/{prediction_id}/feedback", predict.tell),
        shows("/files", file.show_all, reads_rows=True),
        changes("/files", file.upload),
        shows("/files/{upload_id}", file.show, reads_rows=True),
        changes("/files/{upload_id}/start", file.start),
        changes("/files/{upload_id}/remove", file.remove),
        shows("/files/{upload_id}/answers.csv", file.download, reads_rows=True),
        shows("/feedback", feedback.show, reads_rows=True),
        changes("/feedback/file", feedback.upload),
        shows("/feedback/next", feedback.show_next, reads_rows=True),
        changes("/feedback/next", feedback.tell),
        shows("/quarantine", quarantine.show, reads_rows=True),
        changes("/quarantine", quarantine.act),
        shows("/versions", versions.show),
        shows("/versions/compare", comparison.show),
        shows("/versions/rollback", confirmations.show_rollback),
        changes("/versions/rollback", confirmations.roll_back),
        shows("/versions/pause", confirmations.show_pause),
        changes("/versions/pause", confirmations.pause),
        shows("/versions/resume", confirmations.show_resume),
        changes("/versions/resume", confirmations.resume),
        shows("/versions/{version}", versions.show_one),
        shows("/versions/{version}/promote", confirmations.show_promote),
        changes("/versions/{version}/promote", confirmations.promote),
        shows("/versions/{version}/archive", confirmations.show_archive),
        changes("/versions/{version}/archive", confirmations.archive),
        shows("/runs", runs.show),
        changes("/runs", runs.train_now),
        shows("/runs/{run_id}", runs.show_one),
        changes("/runs/{run_id}/retry", runs.retry),
        shows("/reports", reports.show),
        changes("/reports", reports.report_now),
        shows("/reports/{report_id}", reports.show_one),
        shows("/reports/{report_id}/frame", report_files.frame, reads_rows=True),
        shows("/reports/{report_id}/report.html", report_files.download_html, reads_rows=True),
        shows("/reports/{report_id}/report.json", report_files.download_json, reads_rows=True),
        shows("/settings", settings.show),
        shows("/patterns", patterns.show),
        shows("/service", service.show),
        shows("/sign-in", visitor.show_sign_in),
        changes("/sign-in", visitor.sign_in, needs_sign_in=False),
        changes("/sign-out", visitor.sign_out, needs_sign_in=False),
        changes("/language", visitor.switch_language, needs_sign_in=False),
        Route("/static/{path:path}", assets.serve, methods=["GET"]),
    ]


def shows(path: str, show: Show, *, reads_rows: bool = False) -> Route:
    """A page. One that shows people's rows takes a sign-in where a token is set."""
    if not reads_rows:
        return Route(path, show, methods=["GET"])

    @functools.wraps(show)
    async def show_to_known(request: Request) -> Response:
        if not site(request).is_signed_in(request):
            return _to_sign_in(request, request.url.path)
        return await show(request)

    return Route(path, show_to_known, methods=["GET"])


def changes(path: str, act: Act, *, needs_sign_in: bool = True) -> Route:
    """A form's destination. What comes from elsewhere, unsigned or without its token never reaches `act`."""

    @functools.wraps(act)
    async def act_safely(request: Request) -> Response:
        refuse_foreign_origin(request)
        here = site(request)
        if needs_sign_in and not here.is_signed_in(request):
            return _to_sign_in(request, _page_of(request))
        async with request.form(max_files=1, max_fields=2_000, max_part_size=200_000) as form:
            token = form.get("csrf")
            visit = request.cookies.get(VISIT, "")
            if not isinstance(token, str) or not here.tokens.is_form_of(visit, token):
                raise HTTPException(403, "this form is too old or is not from here; load the page again")
            return await act(request, form)

    return Route(path, act_safely, methods=["POST"])


def _to_sign_in(request: Request, next_path: str) -> Response:
    there = f"/sign-in?next={quote(next_path)}"
    if request.headers.get("hx-request"):  # else the sign-in would be drawn inside the page's region
        return Response(status_code=204, headers={"hx-redirect": there})
    return see_other(there)


def _page_of(request: Request) -> str:
    """The page that a form was on, as the browser says; else the form's own path; else home."""
    told = urlsplit(request.headers.get("referer", ""))
    pages = [request.url.path]
    if told.netloc == request.headers.get("host", ""):
        pages.insert(0, told.path + (f"?{told.query}" if told.query else ""))
    return next((page for page in pages if _is_page(request, page.partition("?")[0])), "/")


def _is_page(request: Request, path: str) -> bool:
    asked = {"type": "http", "method": "GET", "path": path, "root_path": ""}
    return any(route.matches(asked)[0] is Match.FULL for route in request.app.routes)
