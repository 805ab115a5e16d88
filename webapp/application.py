"""The pages as one ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response

from loop.refusals import (
    InvalidRows,
    NothingInProduction,
    Refusal,
    StorageUnavailable,
    Unauthorised,
    UnknownPrediction,
)
from storage.database import HURRIED_SECONDS, Database
from webapp.answers import LastAnswers
from webapp.assets import Assets
from webapp.bentos import Bentos
from webapp.language import marked
from webapp.measured import Measured
from webapp.pages.report_files import ReportFileGone
from webapp.plan import Plan
from webapp.pulse import Pulse
from webapp.routes import LINKS, UPLOAD_BYTES, routes
from webapp.runner_client import RunnerClient, RunnerDown
from webapp.safety import HEADERS, Safety, TooLarge, own_hosts
from webapp.site import Site, site
from webapp.tokens import Tokens
from webapp.truths import NotTruths
from webapp.uploads import NotATable, UploadGone
from webapp.views import Drawing, View

log = logging.getLogger("rebento.webapp")

#: The one table from error to status.
STATUS: dict[type[Refusal], int] = {
    InvalidRows: 422,
    Unauthorised: 502,
    NotATable: 422,
    NotTruths: 422,
    UnknownPrediction: 404,
    UploadGone: 404,
    ReportFileGone: 404,
    NothingInProduction: 404,
    StorageUnavailable: 503,
    RunnerDown: 503,
}
_TITLES = {
    403: marked("Not allowed"),
    404: marked("Nothing is here"),
    405: marked("Nothing is here"),
    413: marked("That is too large"),
    500: marked("Something failed"),
    503: marked("Not now"),
}
_OTHERWISE = marked("This cannot be done")


@dataclass(frozen=True, kw_only=True)
class RefusedView(View):
    """What could not be done, in one sentence."""

    template: ClassVar[str] = "refused.html"
    title: str
    sentence: str
    comes_back: bool
    """Trying again later may help: the page does so by itself."""


@dataclass(frozen=True, kw_only=True)
class RefusedNotice(RefusedView):
    """The same inside a page, for htmx."""

    template: ClassVar[str] = "_refused.html"


def create(plan: Plan) -> Starlette:
    """The application. Opens the database when it starts up, and closes it at the end."""
    assets = Assets()
    hosts = own_hosts(plan.host, plan.hosts)

    @contextlib.asynccontextmanager
    async def lifespan(application: Starlette) -> AsyncIterator[None]:
        database = Database.open(plan.database_url, longest_silence_seconds=HURRIED_SECONDS)
        database.migrate()
        runner = RunnerClient(plan.api_url, plan.api_token)
        pulse = Pulse(runner)
        application.state.site = Site(
            plan=plan,
            database=database,
            runner=runner,
            pulse=pulse,
            bentos=Bentos(plan.home),
            tokens=Tokens(plan.secret or database.secret("web_pages"), plan.api_token),
            drawing=Drawing(assets),
            answers=LastAnswers(),
            links=LINKS,
        )
        beating = asyncio.create_task(pulse.beat())
        try:
            yield
        finally:
            beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beating
            await runner.close()
            database.close()

    return Starlette(
        routes=routes(assets),
        lifespan=lifespan,
        middleware=[
            Middleware(Measured),
            Middleware(Safety, hosts=hosts, limits=UPLOAD_BYTES),
            Middleware(GZipMiddleware, minimum_size=600, compresslevel=6),
        ],
        exception_handlers={
            Refusal: _refused,
            HTTPException: _not_found,
            TooLarge: _too_large,
            Exception: _failed,
        },
    )


async def _refused(request: Request, refusal: Exception) -> Response:
    status = next((STATUS[kind] for kind in type(refusal).__mro__ if kind in STATUS), 409)
    return await _sentence(request, status, str(refusal))


async def _not_found(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentence = "" if error.status_code in (404, 405) else error.detail
    return await _sentence(request, error.status_code, sentence)


async def _too_large(request: Request, error: Exception) -> Response:
    assert isinstance(error, TooLarge)
    most = site(request).speech(request).size(error.limit)
    return await _sentence(request, 413, f"this page takes {most} at a time; send the rest in another part")


async def _failed(request: Request, error: Exception) -> Response:
    log.error("a page failed path=%s", request.url.path, exc_info=error)
    response = await _sentence(request, 500, "")
    # This one is sent from outside the middleware.
    response.headers.update(HEADERS)
    return response


async def _sentence(request: Request, status: int, sentence: str) -> Response:
    here = site(request)
    speech = here.speech(request)
    kind = RefusedNotice if request.headers.get("hx-target") else RefusedView
    view = kind(
        title=speech.gettext(_TITLES.get(status, _OTHERWISE)),
        sentence=sentence,
        comes_back=status == 503 and request.method == "GET",
    )
    response = await here.render(request, view, status)
    if kind is RefusedNotice:
        # What the region holds, such as what was typed, stays.
        response.headers["hx-reswap"] = "afterbegin"
    return response
