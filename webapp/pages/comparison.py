"""Two versions side by side: scores, confusion matrices, what the judge said, what changed in settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from storage.runs import run
from storage.verdicts import StoredVerdict, verdicts_of_run
from storage.versions import Version, version
from webapp.cards import Matrix, read_card
from webapp.scores import Pair, measured, side_by_side
from webapp.site import site
from webapp.views import View


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two."""

    version: Version
    kind: str
    rows: int | None
    matrix: Matrix | None


@dataclass(frozen=True, slots=True)
class Change:
    """One setting that differs. '': the other alone has it."""

    name: str
    left: str
    right: str


@dataclass(frozen=True, kw_only=True)
class ComparisonView(View):
    """The page."""

    template: ClassVar[str] = "comparison.html"
    left: Side
    right: Side
    scores: tuple[Pair, ...]
    verdicts: tuple[StoredVerdict, ...]
    """In which one was judged against the other, on the same rows."""
    changes: tuple[Change, ...] | None
    """None: the settings of one are not stored."""


@dataclass(frozen=True, slots=True)
class _Stored:
    version: Version
    parameters: dict[str, Any] | None
    verdicts: tuple[StoredVerdict, ...]


async def show(request: Request) -> Response:
    here = site(request)
    asked = [request.query_params.get(name, "") for name in ("left", "right")]
    found = [await here.read(_read, here.plan.use_case, tag) for tag in asked]
    left, right = found
    if left is None or right is None:
        raise HTTPException(404)
    metric = here.use_case().metric
    cards = await run_in_threadpool(lambda: [read_card(here.plan.home, one.version) for one in (left, right)])
    sides = [
        _side(one.version, card.matrix if card else None)
        for one, card in zip((left, right), cards, strict=True)
    ]
    pair = (left.version.tag, right.version.tag)
    settings = (left.parameters, right.parameters)
    view = ComparisonView(
        left=sides[0],
        right=sides[1],
        scores=side_by_side(
            measured(left.version.scores_json, metric), measured(right.version.scores_json, metric)
        ),
        verdicts=tuple(
            one for one in left.verdicts + right.verdicts if one.champion in pair and one.bento in pair
        )
        if pair[0] != pair[1]
        else (),
        changes=None
        if settings[0] is None or settings[1] is None
        else changes_between(settings[0], settings[1]),
    )
    return await here.render(request, view)


def changes_between(left: dict[str, Any], right: dict[str, Any]) -> tuple[Change, ...]:
    """What differs between two settings, by dotted name.

    >>> changes_between({"seed": 0, "a": {"b": 1}}, {"seed": 0, "a": {"b": 2, "c": []}})
    (Change(name='a.b', left='1', right='2'), Change(name='a.c', left='', right='[]'))
    """
    lefts, rights = dict(_flat(left)), dict(_flat(right))
    return tuple(
        Change(name, lefts.get(name, ""), rights.get(name, ""))
        for name in dict.fromkeys([*lefts, *rights])
        if lefts.get(name) != rights.get(name)
    )


def _flat(settings: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", json.dumps(value, ensure_ascii=False)


def _side(one: Version, matrix: Matrix | None) -> Side:
    recipe = json.loads(one.recipe_json or "{}")
    return Side(one, str(recipe.get("kind", "")), recipe.get("rows"), matrix)


def _read(connection: Connection, use_case: str, tag: str) -> _Stored | None:
    found = version(connection, tag)
    if found is None or found.use_case != use_case:
        return None
    made_by = run(connection, found.run_id) if found.run_id else None
    stored = made_by.parameters_json if made_by is not None else None
    recipe = json.loads(found.recipe_json or "{}")
    made = {"candidate": found.candidate, "kind": recipe.get("kind"), "settings": recipe.get("settings")}
    return _Stored(
        version=found,
        parameters=None if stored is None else {"recipe": made, **json.loads(stored)},
        verdicts=verdicts_of_run(connection, found.run_id) if found.run_id else (),
    )
