"""From the rows known at an instant to challengers, verdicts and one Bento; writes no database."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loop.evaluation import Evaluation
from loop.judge import Verdict
from loop.progress import Progress
from loop.refusals import BrokenPackage
from runner.package import PackageInfo
from storage.versions import Version
from training.building import Birth, build
from training.challengers import Challenger, fit_challengers
from training.gathering import Gathered
from training.judging import Judgement, judge_challengers
from training.material import Material
from training.opened import OpenedVersion, open_version
from training.recipe import Kind, Recipe
from training.selection import CandidateResult, Comparison
from use_cases.use_case import UseCase


@dataclass(frozen=True, slots=True)
class Against:
    """What a run's challengers are judged against."""

    champion: Version | None
    standing: Version | None
    """An earlier challenger that more labels were wanted for; None: there is none."""
    look: int
    """The how-manieth comparison with this champion, from 1."""


@dataclass(frozen=True, slots=True)
class Made:
    """A Bento in the store, and what was learned on the way."""

    bento: str
    info: PackageInfo
    recipe: Recipe
    as_of: str | None
    comparison: Comparison
    without_pca: CandidateResult | None
    evaluation: Evaluation
    rows: dict[str, int]
    """training, holdout, production, and rows that never came so far by their reason."""
    verdicts: tuple[Verdict, ...]
    """Best first; empty where there was nothing to compare with."""
    notes: tuple[str, ...]
    """What could not be fitted or judged, and why."""
    seconds: dict[str, float]
    """fitting, judging, building."""


def make(
    use_case: UseCase,
    gathered: Gathered,
    against: Against,
    *,
    home: Path,
    as_of: datetime.date | None,
    run_id: str,
    created: datetime.datetime,
    is_thorough: bool,
    progress: Progress,
    only: Kind | None = None,
) -> Made:
    """Challengers fitted and judged, the best of them as a Bento.

    `is_thorough`: all candidates are compared on all rows; else the champion's is taken again. `only`: no
    other challenger is fitted. `created` (UTC) names the version. Raises what preparing, fitting and
    building raise; then no Bento is in the store.
    """
    seconds: dict[str, float] = {}
    notes: list[str] = []
    with _timed(seconds, "fitting"):
        progress.stage("preparing rows")
        material = Material.of(use_case, gathered.rows, gathered.instant_ms)
        champion = _opened(use_case, against.champion, home, notes)
        challengers, unfitted = fit_challengers(
            material,
            champion,
            has_champion=against.champion is not None,
            is_thorough=is_thorough,
            progress=progress,
            only=only,
        )
        notes += unfitted
    judgement: Judgement | None = None
    if champion is not None:
        with _timed(seconds, "judging"):
            progress.stage("judging")
            standing = _opened(use_case, against.standing, home, notes)
            judgement = judge_challengers(material, champion, challengers, standing, look=against.look)
    best = _best(challengers, judgement)
    left_out = {**gathered.left_out, "break the contract": material.prepared.set_aside}
    if judgement is not None and judgement.refused:
        left_out["judged by none, for a contract refuses them"] = judgement.refused
    with _timed(seconds, "building"):
        built = build(
            best,
            material,
            Birth(
                run_id=run_id,
                parent=None if against.champion is None else against.champion.tag,
                created=created,
                data_digest=gathered.digest,
                as_of=None if as_of is None else as_of.isoformat(),
                left_out=left_out,
                notes=tuple(notes),
            ),
            np.zeros(0, dtype=int) if judgement is None else judgement.recent,
            home=home,
            is_thorough=is_thorough,
            progress=progress,
        )
    counts = {"training": len(best.training), "holdout": built.evaluation.rows}
    return Made(
        bento=built.bento,
        info=built.info,
        recipe=best.recipe,
        as_of=None if as_of is None else as_of.isoformat(),
        comparison=built.comparison,
        without_pca=built.without_pca,
        evaluation=built.evaluation,
        rows={**counts, "production": gathered.production_rows, **left_out},
        verdicts=() if judgement is None else judgement.verdicts,
        notes=tuple(notes),
        seconds=seconds,
    )


def _opened(use_case: UseCase, version: Version | None, home: Path, notes: list[str]) -> OpenedVersion | None:
    """None, with a note, where its files are lost: the run goes on without it."""
    if version is None:
        return None
    try:
        return open_version(use_case, version, home)
    except BrokenPackage as refusal:
        notes.append(f"{version.tag} could not be judged: {refusal}")
        return None


def _best(challengers: tuple[Challenger, ...], judgement: Judgement | None) -> Challenger:
    """The judge's first of the new ones; the first fitted where there were no rows to judge on."""
    by_kind = {challenger.kind: challenger for challenger in challengers}
    for verdict in judgement.verdicts if judgement else ():
        if verdict.challenger in by_kind and verdict.rows:
            return by_kind[verdict.challenger]
    return challengers[0]


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[step] = round(time.perf_counter() - began, 3)
