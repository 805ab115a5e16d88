"""A version trained again from what is recorded of it: does the same model come out?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from loop.places import model_folder
from loop.progress import Progress, Silence
from loop.refusals import BrokenPackage, DataNotFound, NotTrainable, Refusal
from runner.graph import Graph
from runner.package import GOLDEN, GRAPH, GoldenRows, Package
from runner.rows import RowChecker
from storage.database import Database
from storage.runs import run
from storage.versions import UnknownVersion, Version, version
from training.build import ROOT
from training.challengers import Challenger, follow
from training.fine_tuning import Ancestor
from training.fitted import StoredPipeline
from training.graph import open_graph
from training.labelled import LabelledRows
from training.material import Material
from training.opened import recipe_of
from training.recipe import Recipe, this_platform
from training.record import code_revision, library_versions
from training.snapshot import DamagedSnapshot, read_snapshot
from use_cases.use_case import UseCase

EQUAL = 1e-5
"""Largest difference of a probability between two computations of one model."""

_SUFFIX = "+dirty"


class NotVerifiable(Refusal):
    """A version of which too little is left to train it again; the text names what is missing."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What came out of training a version again."""

    tag: str
    outcome: Literal["identical", "equal", "differs"]
    """The same bytes; the same answers within 1e-5; neither."""
    largest_difference: float
    """Of a probability, on golden rows and holdout; NaN where the two answer other classes."""
    rows: int
    """Golden and holdout rows compared."""
    differing: tuple[str, ...]
    """What is not as it was then, a sentence each: code, libraries, platform, contract."""
    lineage: tuple[str, ...]
    """The versions trained again, the fresh ancestor first."""

    @property
    def is_equal(self) -> bool:
        return self.outcome != "differs"

    @property
    def sentence(self) -> str:
        again = f"{self.tag} trained again"
        if len(self.lineage) > 1:
            again += f" from its fresh ancestor {self.lineage[0]} on"
        changed = f" What is not as it was then: {'; '.join(self.differing)}." if self.differing else ""
        if self.outcome == "identical":
            return f"{again}: the graph is byte for byte the same.{changed}"
        apart = f"probabilities are at most {self.largest_difference:.2g} apart on {self.rows:,} rows"
        if self.outcome == "equal":
            return f"{again}: other bytes, the same answers ({apart}).{changed}"
        cause = changed or (
            " Code, libraries, platform and data are as recorded: the training itself is not repeatable, "
            "which is a fault to report."
        )
        return f"{again}: it DIFFERS ({apart}).{cause}"


def verify(tag: str, *, home: Path, database: Database, progress: Progress | None = None) -> Verification:
    """Trains `tag` again from its snapshot, seed and settings, and compares the graphs.

    A fine-tuned version from its fresh ancestor on. Raises UnknownVersion; NotVerifiable where a snapshot
    is absent or damaged, a Bento's files or a run's settings are gone, or the code now refuses the rows.
    """
    lineage = _lineage(tag, home, database)
    shown = progress or Silence()
    taught: Ancestor | None = None
    again: tuple[Challenger, Material] | None = None
    for link in lineage:
        shown.stage(f"training {link.version.tag} again: {link.recipe.kind}, {link.recipe.candidate}")
        again = _again(link, home, taught)
        fitted = again[0].pipeline
        stored = StoredPipeline(fitted.embedding.pipeline, fitted.scaler, fitted.model, fitted.classes)
        taught = Ancestor(link.recipe.candidate, link.recipe.settings, again[0].contract, stored)
    if again is None:
        raise NotVerifiable(f"nothing is recorded of {tag}")
    shown.stage("comparing the graphs")
    return _compared(lineage, *again, home)


@dataclass(frozen=True, slots=True)
class _Link:
    """One version of a line of fine-tunings."""

    version: Version
    package: Package
    use_case: UseCase
    recipe: Recipe
    code_revision: str | None
    libraries: dict[str, str]


def _lineage(tag: str, home: Path, database: Database) -> tuple[_Link, ...]:
    """The fresh ancestor first, the version itself last."""
    links: list[_Link] = []
    wanted: str | None = tag
    while wanted is not None:
        with database.reading() as connection:
            found = version(connection, wanted)
            made_by = run(connection, found.run_id) if found and found.run_id else None
        if found is None:
            raise UnknownVersion(f"no version is called {wanted}; `rebento versions` lists those there are")
        if made_by is None or made_by.parameters_json is None:
            raise NotVerifiable(f"the settings with which {wanted} was trained are not recorded any more.")
        try:
            package = Package.open(model_folder(home, wanted))
        except BrokenPackage as error:
            raise NotVerifiable(f"{wanted} cannot be trained again: {error}") from error
        use_case = UseCase.model_validate_json(made_by.parameters_json)
        recipe = recipe_of(use_case, package)
        libraries = recipe.libraries or json.loads(made_by.libraries_json or "{}")
        links.append(_Link(found, package, use_case, recipe, made_by.code_revision, libraries))
        wanted = recipe.ancestor
    return tuple(reversed(links))


def _again(link: _Link, home: Path, ancestor: Ancestor | None) -> tuple[Challenger, Material]:
    try:
        rows = read_snapshot(link.version.data_digest, home / "snapshots")
        material = Material.of(link.use_case, rows, link.recipe.instant_ms)
        return follow(link.recipe, material, ancestor), material
    except (DataNotFound, DamagedSnapshot) as error:
        raise NotVerifiable(
            f"{link.version.tag} cannot be trained again, for its data are not as they were: {error}"
        ) from error
    except (NotTrainable, BrokenPackage) as error:
        changed = _changed(link)
        raise NotVerifiable(
            f"{link.version.tag} cannot be trained again from its own rows: {error} "
            f"({'; '.join(changed) or 'code, libraries and platform are as recorded'})"
        ) from error


def _compared(
    lineage: Sequence[_Link], challenger: Challenger, material: Material, home: Path
) -> Verification:
    link = lineage[-1]
    folder = model_folder(home, link.version.tag)
    new_bytes = challenger.pipeline.graph.SerializeToString(deterministic=True)
    golden = GoldenRows.model_validate_json((folder / GOLDEN).read_text(encoding="utf-8"))
    difference, rows = _apart(link.package, challenger, golden, challenger.holdout)
    is_contract_same = challenger.contract == link.package.contract
    if (folder / GRAPH).read_bytes() == new_bytes and is_contract_same:
        outcome: Literal["identical", "equal", "differs"] = "identical"
    else:
        outcome = "equal" if difference <= EQUAL and is_contract_same else "differs"
    differing = [] if is_contract_same else ["the contract: other columns, ranges or classes were derived"]
    differing += dict.fromkeys(change for one in lineage for change in _changed(one))
    tags = tuple(one.version.tag for one in lineage)
    return Verification(link.version.tag, outcome, difference, rows, tuple(differing), tags)


def _apart(
    package: Package, challenger: Challenger, golden: GoldenRows, holdout: LabelledRows
) -> tuple[float, int]:
    """The largest difference of a probability and the rows compared."""
    new = open_graph(challenger.pipeline.graph)
    if challenger.contract.classes != package.contract.classes:
        return float("nan"), 0
    checked, kept, _ = RowChecker(challenger.contract).check_each(golden.rows)
    worst = 0.0
    if kept:
        answers = new.answer(checked.numbers, checked.categories).probabilities
        expected = np.asarray(golden.probabilities)[kept]
        worst = float(np.abs(answers - expected).max())
    blocks = _blocks(package, holdout)
    # NaN, where a row is refused, is to win over any number.
    gap = np.maximum(worst, _gap(package.graph, new, blocks, holdout))
    return float(gap), len(kept) + len(holdout)


def _blocks(package: Package, holdout: LabelledRows) -> tuple[np.ndarray, np.ndarray] | None:
    """The holdout as the stored contract reads it; None where it refuses a row."""
    checked, kept, _ = package.checker.check_each(holdout.rows.rows)
    return (checked.numbers, checked.categories) if len(kept) == len(holdout) else None


def _gap(
    old: Graph, new: Graph, blocks: tuple[np.ndarray, np.ndarray] | None, holdout: LabelledRows
) -> float:
    if blocks is None:
        return float("nan")
    before = old.answer(*blocks).probabilities
    after = new.answer(holdout.rows.numbers, holdout.rows.categories).probabilities
    return float(np.abs(before - after).max(initial=0.0))


def _changed(link: _Link) -> list[str]:
    """What is not as it was when the version was made."""
    changed = []
    then, now = link.code_revision or "unknown", code_revision(ROOT)
    if then != now:
        changed.append(f"the code was {then} and is {now}")
    elif then.endswith(_SUFFIX) or then == "unknown":
        changed.append(f"which code it was is not recorded ({then})")
    for name, there in library_versions().items():
        before = link.libraries.get(name)
        if before is not None and before != there:
            changed.append(f"{name} was {before} and is {there}")
    if link.recipe.platform and link.recipe.platform != this_platform():
        changed.append(f"the platform was {link.recipe.platform} and is {this_platform()}")
    return changed
