"""Training runs: the list, the queue, one page each; and training now."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import ClassVar

from sqlalchemy import Connection
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from loop.clock import now_ms
from storage.automation import automation
from storage.processes import alive
from storage.promotions import next_promotion, open_promotions
from storage.run_facts import MODES, Mode, ModeRefused
from storage.runs import Run, latest_end_ms, run, running_run, runs, waiting_runs
from storage.verdicts import StoredVerdict, verdicts_of_run
from webapp import steering
from webapp.fingerprint import fingerprint, unchanged
from webapp.run_log import LogLine, Progress, log_of, progress_of
from webapp.scores import Measured, Pair, from_table, measured, side_by_side
from webapp.site import Site, see_other, site
from webapp.views import View
from webapp.waiting import Circumstances, Waiting, queue

_SHOWN = 50
_MOST_SHOWN = 1_000


@dataclass(frozen=True, slots=True)
class Judged:
    """A challenger, what the judge said, and both sides' scores on the same rows."""

    verdict: StoredVerdict
    scores: tuple[Pair, ...]


@dataclass(frozen=True, kw_only=True)
class RunsView(View):
    """The list."""

    template: ClassVar[str] = "runs.html"
    regions: ClassVar[tuple[str, ...]] = ("standing",)
    runs: tuple[Run, ...]
    more: int | None
    """How many to ask for to see older ones; None: these are all."""
    running: Run | None
    progress: Progress | None
    queue: tuple[Waiting, ...]
    has_trainer: bool
    is_paused: bool
    as_of: str
    mode: str
    modes: tuple[Mode, ...]
    reason: str
    field: str
    """Of the form, the one that was refused: 'as_of' or 'mode'; '': none was."""
    problem: str
    mark: str
    """Of what it shows: another one where anything has changed."""


@dataclass(frozen=True, kw_only=True)
class RunView(View):
    """One run."""

    template: ClassVar[str] = "run.html"
    regions: ClassVar[tuple[str, ...]] = ("standing",)
    run: Run
    progress: Progress | None
    lines: tuple[LogLine, ...]
    waiting: Waiting | None
    has_trainer: bool
    judged: tuple[Judged, ...]
    scores: tuple[Measured, ...]
    rows: dict[str, int]
    seconds: dict[str, float]
    notes: tuple[str, ...]
    sentence: str
    """What became of its Bento."""
    metric: str
    libraries: dict[str, str]
    mark: str


@dataclass(frozen=True, slots=True)
class _Queue:
    running: Run | None
    waiting: tuple[Waiting, ...]
    has_trainer: bool
    is_paused: bool


async def show(request: Request) -> Response:
    return await _show(site(request), request)


async def train_now(request: Request, form: FormData) -> Response:
    """Asks for a run, and shows it."""
    here = site(request)
    typed = {name: _text(form, name) for name in ("as_of", "mode", "reason")}
    try:
        asked = await here.write(steering.train, here.plan.use_case, **typed, at_ms=now_ms())
    except steering.AsOfRefused as refusal:
        return await _show(here, request, **typed, field="as_of", problem=str(refusal))
    except ModeRefused as refusal:
        return await _show(here, request, **typed, field="mode", problem=str(refusal))
    return see_other(f"/runs/{asked.run_id}")


async def show_one(request: Request) -> Response:
    here = site(request)
    run_id = str(request.path_params["run_id"])
    found, verdicts, around = await here.read(
        _read_one, here.plan.use_case, run_id, _cooldown(here), now_ms()
    )
    if found is None:
        raise HTTPException(404)
    mark = fingerprint(found.state, found.progress_json, around)
    same = unchanged(request, mark)
    if same is not None:
        return same
    said = json.loads(found.verdict_json or "{}")
    parameters = json.loads(found.parameters_json or "{}")
    metric = str(said.get("metric") or parameters.get("metric") or here.use_case().metric)
    view = RunView(
        run=found,
        progress=progress_of(found),
        lines=log_of(found),
        waiting=next((one for one in around.waiting if one.run.run_id == run_id), None),
        has_trainer=around.has_trainer,
        judged=tuple(_judged(one, metric) for one in verdicts),
        scores=measured(found.scores_json, metric),
        rows=json.loads(found.rows_json or "{}"),
        seconds=said.get("seconds", {}),
        notes=tuple(said.get("notes", ())),
        sentence=str(said.get("sentence", "")),
        metric=metric,
        libraries=json.loads(found.libraries_json or "{}"),
        mark=mark,
    )
    return await here.render(request, view)


async def retry(request: Request, form: FormData) -> Response:
    """Asks for the same again."""
    here = site(request)
    run_id = str(request.path_params["run_id"])
    asked = await here.write(steering.retry, here.plan.use_case, run_id, at_ms=now_ms())
    return see_other(f"/runs/{asked.run_id}")


async def _show(
    here: Site,
    request: Request,
    *,
    as_of: str = "",
    mode: str = "",
    reason: str = "",
    field: str = "",
    problem: str = "",
) -> Response:
    wished = request.query_params.get("show", "")
    limit = min(int(wished), _MOST_SHOWN) if wished.isascii() and wished.isdecimal() else _SHOWN
    found, around = await here.read(_read, here.plan.use_case, limit + 1, _cooldown(here), now_ms())
    mark = fingerprint(found, around)
    same = unchanged(request, mark)
    if same is not None:
        return same
    view = RunsView(
        runs=found[:limit],
        more=limit + 200 if len(found) > limit and limit < _MOST_SHOWN else None,
        running=around.running,
        progress=progress_of(around.running),
        queue=around.waiting,
        has_trainer=around.has_trainer,
        is_paused=around.is_paused,
        as_of=as_of,
        mode=mode,
        modes=MODES,
        reason=reason,
        field=field,
        problem=problem,
        mark=mark,
    )
    return await here.render(request, view, 422 if problem else 200)


def _read(
    connection: Connection, use_case: str, limit: int, cooldown_minutes: float, at_ms: int
) -> tuple[tuple[Run, ...], _Queue]:
    found = tuple(_without_beat(one) for one in runs(connection, use_case, limit=limit))
    return found, _queue(connection, use_case, cooldown_minutes, at_ms)


def _read_one(
    connection: Connection, use_case: str, run_id: str, cooldown_minutes: float, at_ms: int
) -> tuple[Run | None, tuple[StoredVerdict, ...], _Queue]:
    found = run(connection, run_id)
    if found is not None and found.use_case != use_case:
        found = None
    return found, verdicts_of_run(connection, run_id), _queue(connection, use_case, cooldown_minutes, at_ms)


def _queue(connection: Connection, use_case: str, cooldown_minutes: float, at_ms: int) -> _Queue:
    running = running_run(connection, use_case)
    has_trainer = alive(connection, use_case, "trainer", at_ms=at_ms) is not None
    is_paused = automation(connection, use_case).is_paused
    # As the trainer sees it: where nobody serves, no promotion is on its way.
    is_changing = alive(connection, use_case, "supervisor", at_ms=at_ms) is not None and (
        next_promotion(connection, use_case) is not None
        or any(one.state == "starting" for one in open_promotions(connection, use_case))
    )
    around = Circumstances(
        has_trainer=has_trainer,
        is_running=running is not None,
        is_paused=is_paused,
        is_changing=is_changing,
        last_ended_at_ms=latest_end_ms(connection, use_case),
        cooldown_minutes=cooldown_minutes,
        now_ms=at_ms,
    )
    shown = None if running is None else _without_beat(running)
    return _Queue(shown, queue(waiting_runs(connection, use_case), around), has_trainer, is_paused)


def _without_beat(one: Run) -> Run:
    """A run as it is shown: that its process goes on, said every two seconds, is no change."""
    return replace(one, beat_at_ms=None)


def _judged(verdict: StoredVerdict, metric: str) -> Judged:
    scores = json.loads(verdict.scores_json)
    sides = [from_table(scores.get(name) or {}, metric) for name in ("champion", "challenger")]
    return Judged(verdict, side_by_side(sides[0], sides[1]))


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def _cooldown(here: Site) -> float:
    return here.use_case().policy.cooldown_minutes
