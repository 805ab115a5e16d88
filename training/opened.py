"""A version that answers: what it learned from, how it was fitted, what can be taught further."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from loop.places import model_folder, pipeline_folder
from loop.refusals import DataNotFound
from runner.graph import Graph
from runner.package import Package
from storage.versions import Version
from training.ages import Ages, Horizon
from training.fine_tuning import Ancestor
from training.fitted import PIPELINE, StoredPipeline, read_pipeline
from training.recipe import Recipe
from training.snapshot import DamagedSnapshot, read_snapshot
from use_cases.contract import Contract
from use_cases.use_case import UseCase


@dataclass(frozen=True, slots=True)
class OpenedVersion:
    """A champion, or an earlier challenger, ready to be judged against."""

    tag: str
    contract: Contract
    graph: Graph
    holdout: float
    """Share of identities that it has not trained on."""
    recipe: Recipe
    horizon: Horizon
    """How far the rows reach that it may have learned from."""
    read_pipeline: Callable[[], StoredPipeline]

    def as_ancestor(self) -> Ancestor:
        """For fine-tuning. Raises BrokenPackage where the fitted pipeline is absent or damaged."""
        return Ancestor(self.recipe.candidate, self.recipe.settings, self.contract, self.read_pipeline())


def open_version(use_case: UseCase, version: Version, home: Path) -> OpenedVersion:
    """The version, from the store under `home`. Raises BrokenPackage where its files do not open."""
    package = Package.open(model_folder(home, version.tag))
    recipe = recipe_of(use_case, package)
    try:
        rows = read_snapshot(version.data_digest, home / "snapshots")
        horizon = Ages.of(use_case.time, rows).horizon()
    except (DataNotFound, DamagedSnapshot):  # what it saw is gone: nothing known before it is new to it
        instant_ms = version.created_at_ms if recipe.instant_ms is None else recipe.instant_ms
        horizon = Horizon(None, float(instant_ms))
    return OpenedVersion(
        tag=version.tag,
        contract=package.contract,
        graph=package.graph,
        holdout=package.info.holdout,
        recipe=recipe,
        horizon=horizon,
        read_pipeline=partial(read_pipeline, pipeline_folder(home, version.tag) / PIPELINE),
    )


def recipe_of(use_case: UseCase, package: Package) -> Recipe:
    """How the package was fitted; one from before recipes was fitted anew on reference rows alone."""
    info = package.info
    if info.recipe is not None:
        return Recipe.model_validate(info.recipe)
    settings = use_case.candidates.get(info.candidate, {})  # type: ignore[call-overload]
    return Recipe(
        kind="fresh", candidate=info.candidate, settings=settings, seed=info.seed, rows=0, instant_ms=None
    )
