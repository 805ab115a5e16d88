"""The quarantine: what releasing or discarding would do, and doing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy import Connection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from loop.clock import now_ms
from loop.refusals import Refusal
from storage.counters import production_rows
from storage.quarantine import (
    QuarantinedRow,
    SuspendedSource,
    discard_rows,
    discard_source,
    quarantined,
    release_rows,
    release_source,
    suspended_sources,
)
from webapp.site import Site, see_other, site
from webapp.views import View

_ACTOR = "person"
_MOST_ROWS = 1_000


class NothingChosen(Refusal):
    """Neither a source nor a row that waits was named."""


@dataclass(frozen=True, kw_only=True)
class QuarantineView(View):
    """The question before the change."""

    template: ClassVar[str] = "quarantine.html"
    releases: bool
    """Else it discards."""
    source: SuspendedSource | None
    rows: tuple[QuarantinedRow, ...]
    """Single rows; or the source's, as far as the page shows them."""
    count: int
    held: int
    """Those of the rows shown that never counted yet."""
    k: int
    production_rows: int


async def show(request: Request) -> Response:
    """Asks whether that is meant."""
    here = site(request)
    asked = request.query_params
    source, rows, labelled = await here.read(
        _chosen, here.plan.use_case, asked.get("source", ""), _numbers(asked.getlist("row"))
    )
    view = QuarantineView(
        releases=asked.get("act") != "discard",
        source=source,
        rows=rows,
        count=source.rows if source else len(rows),
        held=sum(row.is_held for row in rows),
        k=await _k(here),
        production_rows=labelled,
    )
    return await here.render(request, view)


async def act(request: Request, form: FormData) -> Response:
    """Does it."""
    here = site(request)
    releases = form.get("act") == "release"
    source, rows = str(form.get("source", "")), _numbers([str(one) for one in form.getlist("row")])
    await here.write(_do, here.plan.use_case, releases, source, rows, await _k(here))
    return see_other("/feedback#quarantine")


def _chosen(
    connection: Connection, use_case: str, source: str, numbers: list[int]
) -> tuple[SuspendedSource | None, tuple[QuarantinedRow, ...], int]:
    waiting = quarantined(connection, use_case, _MOST_ROWS)
    labelled = production_rows(connection, use_case)
    if source:
        named = next((one for one in suspended_sources(connection, use_case) if one.source == source), None)
        if named is not None:
            theirs = tuple(row for row in waiting if row.of_suspension and row.source == source)
            return named, theirs, labelled
    else:
        chosen = tuple(row for row in waiting if row.quarantine_id in numbers)
        if chosen:
            return None, chosen, labelled
    raise NothingChosen(
        "nothing that still waits in quarantine was chosen; go back to Feedback later, tick rows there or "
        "choose a source"
    )


def _do(connection: Connection, use_case: str, releases: bool, source: str, rows: list[int], k: int) -> None:
    at_ms = now_ms()
    if releases and source:
        release_source(connection, use_case, source, actor=_ACTOR, k=k, at_ms=at_ms)
    elif source:
        discard_source(connection, use_case, source, actor=_ACTOR, at_ms=at_ms)
    elif releases:
        release_rows(connection, use_case, rows, actor=_ACTOR, k=k, at_ms=at_ms)
    else:
        discard_rows(connection, use_case, rows, actor=_ACTOR, at_ms=at_ms)


def _numbers(texts: list[str]) -> list[int]:
    return [int(text) for text in texts if text.isascii() and text.isdecimal() and len(text) < 18][
        :_MOST_ROWS
    ]


async def _k(here: Site) -> int:
    standing = await here.champion()
    return standing[1].k if standing else here.use_case().policy.feedbacks_per_training
