"""Home: what runs, whether all is well, and what comes next."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from loop.clock import now_ms
from loop.refusals import BrokenPackage
from storage.automation import Automation, automation
from storage.counters import last_known_at_ms, production_rows
from storage.decisions import StoredDecision, decisions
from storage.overview import (
    Realised,
    in_quarantine,
    last_move_to_production,
    predictions_since,
    realised,
)
from storage.processes import alive
from storage.promotions import Promotion, next_promotion, open_promotions
from storage.reports import Report, last_report
from storage.runs import Run, latest_end_ms, running_run, runs, waiting_runs
from storage.versions import StageChange, Version, champion, versions
from webapp.charts import Course, course
from webapp.health import Concern, Facts, concerns
from webapp.site import Site, site
from webapp.views import View

_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
#: Labelled answers on the chart: enough to see a course, few enough for a quick page.
_CHARTED = 1_000
#: In the order in which a person asks for them; the deciding one comes first whatever it is.
_SHOWN_SCORES = ("roc_auc", "balanced_accuracy", "f1", "accuracy", "log_loss", "calibration_error")


@dataclass(frozen=True, slots=True)
class ShownScore:
    """A score of the champion, on rows that it had not learned from."""

    metric: str
    value: float
    low: float
    high: float
    is_deciding: bool


@dataclass(frozen=True, slots=True)
class Trigger:
    """What would start the next training."""

    labels_wanted: int
    k: int
    labels_so_far: int
    """Since the last multiple of k."""
    scheduled_at_ms: int | None
    waiting: tuple[Run, ...]
    """Runs asked for that have not begun."""


@dataclass(frozen=True, kw_only=True)
class HomeView(View):
    """The page."""

    template: ClassVar[str] = "home.html"
    regions: ClassVar[tuple[str, ...]] = ("standing",)
    description: str
    concerns: tuple[Concern, ...]
    champion: Version | None
    promoted: StageChange | None
    scores: tuple[ShownScore, ...]
    predictions_of_the_day: int
    production_rows: int
    quality: Course | None
    report: Report | None
    """The last one that is done."""
    reported_quality: dict[str, Any] | None
    """What it says of quality, of the Bento that is in Production now."""
    decisions: tuple[StoredDecision, ...]
    drift: StoredDecision | None
    automation: Automation
    has_supervisor: bool
    has_trainer: bool
    trigger: Trigger | None
    running: Run | None


@dataclass(frozen=True, slots=True)
class _Stored:
    """All that the database says, read on one state of it."""

    champion: Version | None
    promoted: StageChange | None
    labelled: int
    changed_at_ms: int
    predictions_of_the_day: int
    report: Report | None
    decisions: tuple[StoredDecision, ...]
    drift: StoredDecision | None
    quality: StoredDecision | None
    automation: Automation
    has_supervisor: bool
    has_trainer: bool
    running: Run | None
    last_run: Run | None
    last_end_ms: int | None
    waiting: tuple[Run, ...]
    promotions: tuple[Promotion, ...]
    staged: int
    in_quarantine: int


async def show(request: Request) -> Response:
    here = site(request)
    at_ms = now_ms()
    stored = await here.read(_read, here.plan.use_case, at_ms)
    service = await here.pulse.now()
    use_case = here.use_case()
    facts = Facts(
        service=service,
        has_champion=stored.champion is not None,
        has_supervisor=stored.has_supervisor,
        has_trainer=stored.has_trainer,
        automation=stored.automation,
        drift=stored.drift,
        quality=stored.quality,
        last_run=stored.last_run,
        running=stored.running,
        promotions=stored.promotions,
        staged=stored.staged,
        in_quarantine=stored.in_quarantine,
    )
    scores = json.loads(stored.champion.scores_json) if stored.champion else {}
    view = HomeView(
        description=use_case.description,
        concerns=concerns(facts, here.speech(request)),
        champion=stored.champion,
        promoted=stored.promoted,
        scores=_scores(scores, use_case.metric),
        predictions_of_the_day=stored.predictions_of_the_day,
        production_rows=stored.labelled,
        quality=await _quality(here, stored, scores.get("accuracy", {}).get("value")),
        report=stored.report,
        reported_quality=_reported(stored),
        decisions=stored.decisions,
        drift=stored.drift,
        automation=stored.automation,
        has_supervisor=stored.has_supervisor,
        has_trainer=stored.has_trainer,
        trigger=_trigger(here, stored, use_case.policy.schedule_hours),
        running=stored.running,
    )
    return await here.render(request, view)


def _read(connection: Connection, use_case: str, at_ms: int) -> _Stored:
    ended = next(
        (one for one in runs(connection, use_case, limit=10) if one.finished_at_ms is not None), None
    )
    asked = next_promotion(connection, use_case)
    return _Stored(
        champion=champion(connection, use_case),
        promoted=last_move_to_production(connection, use_case),
        labelled=production_rows(connection, use_case),
        changed_at_ms=last_known_at_ms(connection, use_case),
        predictions_of_the_day=predictions_since(connection, use_case, at_ms - _DAY_MS),
        report=last_report(connection, use_case),
        decisions=decisions(connection, use_case, limit=5),
        drift=_last(connection, use_case, "drift"),
        quality=_last(connection, use_case, "quality"),
        automation=automation(connection, use_case),
        has_supervisor=alive(connection, use_case, "supervisor", at_ms=at_ms) is not None,
        has_trainer=alive(connection, use_case, "trainer", at_ms=at_ms) is not None,
        running=running_run(connection, use_case),
        last_run=ended,
        last_end_ms=latest_end_ms(connection, use_case),
        waiting=waiting_runs(connection, use_case),
        promotions=(*open_promotions(connection, use_case), *([asked] if asked else [])),
        staged=sum(one.stage == "Staging" for one in versions(connection, use_case)),
        in_quarantine=in_quarantine(connection, use_case),
    )


def _last(connection: Connection, use_case: str, kind: Any) -> StoredDecision | None:
    return next(iter(decisions(connection, use_case, kind=kind, limit=1)), None)


def _reported(stored: _Stored) -> dict[str, Any] | None:
    """None where the last report looked at another Bento: its numbers say nothing of this one."""
    if stored.report is None or stored.champion is None or stored.report.bento != stored.champion.tag:
        return None
    found: dict[str, Any] | None = json.loads(stored.report.numbers_json).get("quality")
    return found


async def _quality(here: Site, stored: _Stored, reference: float | None) -> Course | None:
    """The chart; drawn anew only once anything about labels changed."""
    key = (stored.changed_at_ms, stored.labelled, reference)
    if here.kept.get("quality", (None,))[0] != key:
        answers: tuple[Realised, ...] = await here.read(realised, here.plan.use_case, _CHARTED)
        here.kept["quality"] = (key, course(answers, reference))
    found: Course | None = here.kept["quality"][1]
    return found


def _scores(scores: dict[str, Any], deciding: str) -> tuple[ShownScore, ...]:
    names = dict.fromkeys((deciding, *_SHOWN_SCORES))
    return tuple(
        ShownScore(name, one["value"], one["low"], one["high"], name == deciding)
        for name in names
        if (one := scores.get(name, {})).get("value") is not None
    )


def _trigger(here: Site, stored: _Stored, schedule_hours: float | None) -> Trigger | None:
    if stored.champion is None:
        return None
    try:
        k = here.bentos.of(stored.champion).k
    except BrokenPackage:  # its files are gone; the policy's k is what the next one will have
        k = here.use_case().policy.feedbacks_per_training
    scheduled = None
    if schedule_hours is not None and stored.last_end_ms is not None:
        scheduled = stored.last_end_ms + int(schedule_hours * _HOUR_MS)
    so_far = stored.labelled % k
    return Trigger(k - so_far, k, so_far, scheduled, stored.waiting)
