"""The visitor: signing in and out, and the language."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from webapp.language import LANGUAGES
from webapp.site import LANGUAGE, SIGNED_IN, remember, see_other, site
from webapp.tokens import SIGN_IN_SECONDS
from webapp.views import View

_YEAR_SECONDS = 365 * 86_400
#: What a wrong token costs whoever guesses.
_WRONG_TOKEN_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class SignInView(View):
    """The page."""

    template: ClassVar[str] = "sign_in.html"
    next: str
    """Where to go afterwards."""
    was_wrong: bool


async def show_sign_in(request: Request) -> Response:
    view = SignInView(next=own_path(request.query_params.get("next", "/")), was_wrong=False)
    return await site(request).render(request, view)


async def sign_in(request: Request, form: FormData) -> Response:
    here = site(request)
    wanted = own_path(str(form.get("next", "/")))
    cookie = here.tokens.sign_in(str(form.get("token", "")))
    if cookie is None:
        await asyncio.sleep(_WRONG_TOKEN_SECONDS)
        return await here.render(request, SignInView(next=wanted, was_wrong=True), 422)
    response = see_other(wanted)
    remember(response, request, SIGNED_IN, cookie, SIGN_IN_SECONDS)
    return response


async def sign_out(request: Request, form: FormData) -> Response:
    response = see_other("/")
    response.delete_cookie(SIGNED_IN)
    return response


async def switch_language(request: Request, form: FormData) -> Response:
    response = see_other(own_path(str(form.get("next", "/"))))
    if form.get("language") in LANGUAGES:
        remember(response, request, LANGUAGE, str(form["language"]), _YEAR_SECONDS)
    return response


def own_path(path: str) -> str:
    """The path where it leads to these pages; home for any other.

    >>> own_path("/predict?example=2"), own_path("//elsewhere.example"), own_path("https://elsewhere.example")
    ('/predict?example=2', '/', '/')
    """
    is_own = path.startswith("/") and path[:2] not in ("//", "/\\") and path.isprintable()
    return path if is_own else "/"
