"""What all endpoints share: the database, the runner, the drawing of pages; and how they answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from storage.database import Database
from storage.versions import Version, champion
from use_cases.use_case import UseCase
from webapp.answers import LastAnswers
from webapp.bentos import Bento, Bentos
from webapp.language import Speech, choose, region, speech_of
from webapp.plan import Plan
from webapp.pulse import Pulse
from webapp.runner_client import RunnerClient
from webapp.tokens import Tokens
from webapp.views import Drawing, Link, Shell, View

Given = ParamSpec("Given")
Found = TypeVar("Found")

VISIT, SIGNED_IN, LANGUAGE = "rebento_visit", "rebento_signed_in", "rebento_language"


@dataclass(frozen=True)
class Site:
    """One a process."""

    plan: Plan
    database: Database
    runner: RunnerClient
    pulse: Pulse
    bentos: Bentos
    tokens: Tokens
    drawing: Drawing
    answers: LastAnswers
    links: tuple[Link, ...]
    kept: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """What a page drew last, with what it was drawn from: (key, drawing)."""
    _use_case: list[tuple[int, UseCase]] = field(default_factory=list)

    def use_case(self) -> UseCase:
        """The use case as its file says now; read again only where that changed. Raises UseCaseMistake."""
        if self._use_case:
            changed_ns, kept = self._use_case[0]
            if _changed_ns(kept) == changed_ns:
                return kept
        found = self.plan.read_use_case()
        self._use_case[:] = [(_changed_ns(found), found)]
        return found

    async def read(
        self,
        reading: Callable[Concatenate[Connection, Given], Found],
        *arguments: Given.args,
        **named: Given.kwargs,
    ) -> Found:
        """What a function of a connection gives, run in a thread on one state of the database."""

        def run() -> Found:
            with self.database.reading() as connection:
                return reading(connection, *arguments, **named)

        return await run_in_threadpool(run)

    async def write(
        self,
        writing: Callable[Concatenate[Connection, Given], Found],
        *arguments: Given.args,
        **named: Given.kwargs,
    ) -> Found:
        """As `read`, in one durable transaction."""

        def run() -> Found:
            with self.database.writing() as connection:
                return writing(connection, *arguments, **named)

        return await run_in_threadpool(run)

    async def champion(self) -> tuple[Version, Bento] | None:
        """The version in Production and what its files say; None: nothing is. Raises BrokenPackage."""
        found = await self.read(champion, self.plan.use_case)
        return None if found is None else (found, self.bentos.of(found))

    def speech(self, request: Request) -> Speech:
        """The visitor's language, as the visitor's region writes it."""
        accepted = request.headers.get("accept-language", "")
        code = choose(request.cookies.get(LANGUAGE), accepted)
        return speech_of(code, region(code, accepted))

    def is_signed_in(self, request: Request) -> bool:
        return self.tokens.is_signed_in(request.cookies.get(SIGNED_IN, ""))

    async def render(self, request: Request, view: View, status: int = 200) -> Response:
        """The page; for htmx, the region that it asks for alone."""
        service = await self.pulse.now()
        visit = request.cookies.get(VISIT, "")
        is_new = not visit
        visit = visit or self.tokens.new_visit()
        speech = self.speech(request)
        shell = Shell(
            speech=speech,
            use_case=self.plan.use_case,
            path=request.url.path,
            links=self.links,
            csrf=self.tokens.form_token(visit),
            needs_sign_in=self.tokens.needs_sign_in,
            is_signed_in=self.is_signed_in(request),
            service=service,
            reporting_url=self.plan.reporting_url,
        )
        target = request.headers.get("hx-target", "") if request.headers.get("hx-request") else ""
        region = target if target in view.regions else None
        response = HTMLResponse(self.drawing.draw(view, shell, region), status)
        response.headers["content-language"] = speech.code
        if is_new:
            remember(response, request, VISIT, visit)
        return response


def _changed_ns(use_case: UseCase) -> int:
    try:
        return (use_case.folder or Path()).joinpath("use_case.yaml").stat().st_mtime_ns
    except OSError:
        return 0


def site(request: Request) -> Site:
    """The site that answers this request."""
    found: Site = request.app.state.site
    return found


def see_other(url: str) -> RedirectResponse:
    """The answer to a POST that was done: look there."""
    return RedirectResponse(url, 303)


def remember(response: Response, request: Request, name: str, value: str, seconds: int | None = None) -> None:
    """Sets a cookie that scripts cannot read and other sites' pages cannot make a browser send.

    Where the browser came by TLS it is never sent without. Behind a proxy the proxy says so, and is believed:
    who says so untruly keeps a cookie from nobody but themselves.
    """
    by_tls = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        httponly=True,
        samesite="strict",
        secure=by_tls,
    )
