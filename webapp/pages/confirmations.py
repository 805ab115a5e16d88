"""Promote, roll back, archive, pause, resume: each asks first, and says what will happen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from sqlalchemy import Connection
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from loop.clock import now_ms
from storage.automation import Automation, automation
from storage.processes import alive
from storage.promotions import NotPromotable, Promotion, next_promotion, rollback_target
from storage.runs import waiting_runs
from storage.versions import Version, champion, version
from webapp import steering
from webapp.pages.versions import tag_of
from webapp.site import see_other, site
from webapp.views import View

Deed = Literal["promote", "rollback", "archive", "pause", "resume"]


@dataclass(frozen=True, kw_only=True)
class ConfirmationView(View):
    """What will happen, and the button that does it."""

    template: ClassVar[str] = "confirmation.html"
    deed: Deed
    action: str
    """Where the form goes."""
    tag: str
    champion: str
    has_supervisor: bool
    waits: Promotion | None
    """A promotion asked for before, which this one would withdraw."""
    automation: Automation
    runs_waiting: int
    probation_seconds: float


@dataclass(frozen=True, slots=True)
class _Standing:
    version: Version | None
    champion: str
    rollback_tag: str | None
    has_supervisor: bool
    waits: Promotion | None
    automation: Automation
    runs_waiting: int


async def show_promote(request: Request) -> Response:
    return await _show(request, "promote", tag_of(site(request), request))


async def show_archive(request: Request) -> Response:
    return await _show(request, "archive", tag_of(site(request), request))


async def show_rollback(request: Request) -> Response:
    return await _show(request, "rollback")


async def show_pause(request: Request) -> Response:
    return await _show(request, "pause")


async def show_resume(request: Request) -> Response:
    return await _show(request, "resume")


async def promote(request: Request, form: FormData) -> Response:
    here = site(request)
    await here.write(
        steering.promote,
        here.plan.use_case,
        here.plan.home,
        tag_of(here, request),
        instead_of=_text(form, "instead_of"),
        reason=_text(form, "reason"),
        at_ms=now_ms(),
    )
    return see_other("/versions")


async def roll_back(request: Request, form: FormData) -> Response:
    here = site(request)
    await here.write(
        steering.roll_back,
        here.plan.use_case,
        here.plan.home,
        _text(form, "tag"),
        instead_of=_text(form, "instead_of"),
        reason=_text(form, "reason"),
        at_ms=now_ms(),
    )
    return see_other("/versions")


async def archive(request: Request, form: FormData) -> Response:
    here = site(request)
    tag, reason = tag_of(here, request), _text(form, "reason")
    await here.write(steering.archive, here.plan.use_case, tag, reason=reason, at_ms=now_ms())
    return see_other("/versions")


async def pause(request: Request, form: FormData) -> Response:
    here = site(request)
    await here.write(steering.pause, here.plan.use_case, reason=_text(form, "reason"), at_ms=now_ms())
    return see_other("/versions")


async def resume(request: Request, form: FormData) -> Response:
    here = site(request)
    await here.write(steering.resume, here.plan.use_case, reason=_text(form, "reason"), at_ms=now_ms())
    return see_other("/versions")


async def _show(request: Request, deed: Deed, tag: str = "") -> Response:
    here = site(request)
    found = await here.read(_read, here.plan.use_case, tag, now_ms())
    if tag and found.version is None:
        raise HTTPException(404)
    if deed == "rollback":
        if found.rollback_tag is None:
            raise NotPromotable(
                f"{here.plan.use_case} has no earlier version to go back to; promote another, or train"
            )
        tag = found.rollback_tag
    view = ConfirmationView(
        deed=deed,
        action=request.url.path,
        tag=tag,
        champion=found.champion,
        has_supervisor=found.has_supervisor,
        waits=found.waits,
        automation=found.automation,
        runs_waiting=found.runs_waiting,
        probation_seconds=here.use_case().policy.probation_seconds,
    )
    return await here.render(request, view)


def _read(connection: Connection, use_case: str, tag: str, at_ms: int) -> _Standing:
    found = version(connection, tag) if tag else None
    standing = champion(connection, use_case)
    target = rollback_target(connection, use_case)
    return _Standing(
        version=found if found is not None and found.use_case == use_case else None,
        champion="" if standing is None else standing.tag,
        rollback_tag=None if target is None else target.tag,
        has_supervisor=alive(connection, use_case, "supervisor", at_ms=at_ms) is not None,
        waits=next_promotion(connection, use_case),
        automation=automation(connection, use_case),
        runs_waiting=len(waiting_runs(connection, use_case)),
    )


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""
