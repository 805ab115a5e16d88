"""Versions: every Bento, how it came to its stage, and what a person may do with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from loop.clock import now_ms
from storage.automation import Automation, automation
from storage.processes import alive
from storage.promotions import Promotion, promotions, rollback_target
from storage.verdicts import StoredVerdict, verdicts_of_run
from storage.versions import StageChange, Version, champion, history, version, versions
from webapp.cards import Card, read_card
from webapp.fingerprint import fingerprint, unchanged
from webapp.scores import Measured, measured
from webapp.site import Site, site
from webapp.steering import has_files
from webapp.views import View

#: Shown without being asked for all; the champion and what waits for a person are always among them.
_SHOWN = 30
#: What a recipe may say; one of an earlier release says less.
_OF_A_RECIPE = (
    *("kind", "settings", "rows", "seed", "window_rows", "half_life_rows", "ancestor"),
    *("platform", "libraries"),
)
_UNDER_WAY = ("requested", "starting", "probation")


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list."""

    version: Version
    score: Measured | None
    """Of the metric that decides."""
    kind: str
    rows: int | None
    """That it learned from."""
    change: StageChange | None
    """The last."""
    is_servable: bool


@dataclass(frozen=True, kw_only=True)
class VersionsView(View):
    """The list."""

    template: ClassVar[str] = "versions.html"
    regions: ClassVar[tuple[str, ...]] = ("standing",)
    listed: tuple[Listed, ...]
    tags: tuple[str, ...]
    """Of all versions, newest first: what may be compared."""
    metric: str
    has_all: bool
    promotions: tuple[Promotion, ...]
    """The last ones, newest first."""
    is_moving: bool
    """A promotion is under way."""
    automation: Automation
    rollback_tag: str | None
    has_supervisor: bool
    mark: str
    """Of what it shows: another one where anything has changed."""


@dataclass(frozen=True, kw_only=True)
class VersionView(View):
    """One version."""

    template: ClassVar[str] = "version.html"
    version: Version
    scores: tuple[Measured, ...]
    recipe: dict[str, Any]
    """Every key of a recipe, None where it does not say; empty: none is stored."""
    changes: tuple[StageChange, ...]
    promotions: tuple[Promotion, ...]
    verdict: StoredVerdict | None
    """The judge's, when it was built."""
    champion: str | None
    is_servable: bool
    card: Card | None
    rollback_tag: str | None


@dataclass(frozen=True, slots=True)
class _Stored:
    versions: tuple[Version, ...]
    changes: tuple[StageChange, ...]
    promotions: tuple[Promotion, ...]
    automation: Automation
    rollback_tag: str | None
    has_supervisor: bool


async def show(request: Request) -> Response:
    here = site(request)
    at_ms = now_ms()
    stored = await here.read(_read, here.plan.use_case, at_ms)
    mark = fingerprint(stored)
    same = unchanged(request, mark)
    if same is not None:
        return same
    metric = here.use_case().metric
    wants_all = request.query_params.get("all") == "1"
    chosen = [
        one
        for place, one in enumerate(stored.versions)
        if wants_all or place < _SHOWN or one.stage in ("Production", "Staging")
    ]
    last = {change.tag: change for change in reversed(stored.changes)}
    view = VersionsView(
        listed=await run_in_threadpool(
            lambda: tuple(_listed(here, one, metric, last.get(one.tag)) for one in chosen)
        ),
        tags=tuple(one.tag for one in stored.versions),
        metric=metric,
        has_all=len(chosen) == len(stored.versions),
        promotions=stored.promotions,
        is_moving=any(one.state in _UNDER_WAY for one in stored.promotions),
        automation=stored.automation,
        rollback_tag=stored.rollback_tag,
        has_supervisor=stored.has_supervisor,
        mark=mark,
    )
    return await here.render(request, view)


async def show_one(request: Request) -> Response:
    here = site(request)
    tag = tag_of(here, request)
    found, standing, changes, moved, verdict, target = await here.read(_read_one, here.plan.use_case, tag)
    if found is None:
        raise HTTPException(404)
    card, is_servable = await run_in_threadpool(
        lambda: (read_card(here.plan.home, found), has_files(here.plan.home, found))
    )
    view = VersionView(
        version=found,
        scores=measured(found.scores_json, here.use_case().metric),
        recipe=_recipe(found),
        changes=changes,
        promotions=moved,
        verdict=verdict,
        champion=None if standing is None else standing.tag,
        is_servable=is_servable,
        card=card,
        rollback_tag=target,
    )
    return await here.render(request, view)


def tag_of(here: Site, request: Request) -> str:
    """The tag that a path names; a version alone will do."""
    named = str(request.path_params["version"])
    return named if ":" in named else f"{here.plan.use_case}:{named}"


def _read(connection: Connection, use_case: str, at_ms: int) -> _Stored:
    target = rollback_target(connection, use_case)
    return _Stored(
        versions=versions(connection, use_case),
        changes=history(connection, use_case),
        promotions=promotions(connection, use_case, limit=8),
        automation=automation(connection, use_case),
        rollback_tag=None if target is None else target.tag,
        has_supervisor=alive(connection, use_case, "supervisor", at_ms=at_ms) is not None,
    )


def _read_one(
    connection: Connection, use_case: str, tag: str
) -> tuple[
    Version | None,
    Version | None,
    tuple[StageChange, ...],
    tuple[Promotion, ...],
    StoredVerdict | None,
    str | None,
]:
    found = version(connection, tag)
    if found is not None and found.use_case != use_case:
        found = None
    judged = verdicts_of_run(connection, found.run_id) if found is not None and found.run_id else ()
    target = rollback_target(connection, use_case)
    return (
        found,
        champion(connection, use_case),
        tuple(change for change in history(connection, use_case) if change.tag == tag),
        tuple(one for one in promotions(connection, use_case, limit=500) if one.tag == tag),
        next((verdict for verdict in judged if verdict.bento == tag), None),
        None if target is None else target.tag,
    )


def _recipe(one: Version) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(one.recipe_json or "{}")
    return dict.fromkeys(_OF_A_RECIPE) | told if told else {}


def _listed(here: Site, one: Version, metric: str, change: StageChange | None) -> Listed:
    recipe = json.loads(one.recipe_json or "{}")
    scores = measured(one.scores_json, metric)
    return Listed(
        version=one,
        score=next((score for score in scores if score.is_deciding), None),
        kind=str(recipe.get("kind", "")),
        rows=recipe.get("rows"),
        change=change,
        is_servable=has_files(here.plan.home, one),
    )
