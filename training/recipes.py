"""Which challengers a run tries: a recipe for each that the rows allow, the reason where they do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from loop.progress import Progress
from loop.refusals import NotTrainable
from training.ages import Ages
from training.labelled import LabelledRows
from training.material import Material
from training.opened import OpenedVersion
from training.recipe import KINDS, Kind, Recipe, environment
from training.selection import Comparison, compare

LEAST_WINDOW_ROWS = 500
"""From so many production rows on the recent window is of production rows alone."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One challenger that is to be fitted."""

    recipe: Recipe
    comparison: Comparison | None
    """Of the candidates on its rows, where its candidate was chosen by one."""


@dataclass
class Recipes:
    """Recipes for one run's rows against one champion; None where nothing that opens is in Production."""

    material: Material
    champion: OpenedVersion | None
    is_thorough: bool
    """Whether all candidates are compared on all rows; else the champion's candidate serves again."""
    progress: Progress
    _chosen: Comparison | None = field(default=None, init=False)

    def of(self, kind: Kind) -> Plan:
        """Raises NotTrainable where the rows or the champion do not allow this kind, and why."""
        ways: Mapping[Kind, Callable[[], Plan]] = {
            "fresh": self._fresh,
            "recent": self._recent,
            "weighted": self._weighted,
            "fine_tuned": self._fine_tuned,
        }
        return ways[kind]()

    def kinds(self, has_champion: bool) -> tuple[Kind, ...]:
        """In the order in which they are fitted. With nothing to be judged against, one is enough."""
        return tuple(KINDS) if has_champion else ("fresh",)

    def _fresh(self) -> Plan:
        candidate = self._candidate()
        rows = len(self.material.prepared.training)
        return Plan(self._recipe("fresh", candidate, rows), self._chosen)

    def _recent(self) -> Plan:
        material = self.material
        most = material.use_case.policy.recent_rows
        places = material.prepared.training_places
        window = np.flatnonzero(np.isin(places, window_of(material.ages, places, most)))
        if len(window) == len(material.prepared.training):
            raise NotTrainable(f"the newest {most:,} rows are all there are")
        newest = material.prepared.training.take(window)
        _refuse_absent_classes(material, newest)
        use_case = material.use_case
        found = compare(use_case, material.prepared.contract, newest, self.progress)
        return Plan(self._recipe("recent", found.best.name, len(window), window_rows=most), found)

    def _weighted(self) -> Plan:
        material = self.material
        if np.ptp(material.ages.rows_since(material.prepared.training_places)) == 0:
            raise NotTrainable("no row is known to be newer than another")
        half_life = material.use_case.policy.half_life_rows
        rows = len(material.prepared.training)
        return Plan(self._recipe("weighted", self._candidate(), rows, half_life_rows=half_life), None)

    def _fine_tuned(self) -> Plan:
        champion = self.champion
        if champion is None:
            raise NotTrainable("there is no champion to teach")
        rows = int(self.material.ages.beyond(champion.horizon)[self.material.prepared.training_places].sum())
        if not rows:
            raise NotTrainable(f"{champion.tag} has seen all of the rows")
        recipe = Recipe(
            kind="fine_tuned",
            candidate=champion.recipe.candidate,
            settings=champion.recipe.settings,
            seed=champion.recipe.seed,
            rows=rows,
            instant_ms=self.material.instant_ms,
            ancestor=champion.tag,
            beyond=champion.horizon,
            **environment(),
        )
        return Plan(recipe, None)

    def _candidate(self) -> str:
        """The champion's, else the best of all on all rows."""
        listed = self.material.use_case.candidates
        if not self.is_thorough and self.champion is not None and self.champion.recipe.candidate in listed:
            return self.champion.recipe.candidate
        if self._chosen is None:
            prepared = self.material.prepared
            self._chosen = compare(
                self.material.use_case, prepared.contract, prepared.training, self.progress
            )
        return self._chosen.best.name

    def _recipe(self, kind: Kind, candidate: str, rows: int, **more: Any) -> Recipe:
        use_case = self.material.use_case
        return Recipe(
            kind=kind,
            candidate=candidate,
            settings=dict(use_case.candidates[candidate]),  # type: ignore[index]
            seed=use_case.seed,
            rows=rows,
            instant_ms=self.material.instant_ms,
            **more,
            **environment(),
        )


def window_of(ages: Ages, places: np.ndarray, most: int) -> np.ndarray:
    """The newest `most` of the training rows at these places: production rows, where there are enough.

    With fewer than LEAST_WINDOW_ROWS of them the newest dated reference rows fill it up. Raises
    NotTrainable where there are too few of either.
    """
    answered, dated = ages.is_production[places], ages.is_dated[places]
    least = min(LEAST_WINDOW_ROWS, most)
    usable = answered if answered.sum() >= least else dated
    if usable.sum() < least:
        raise NotTrainable(
            f"there are {int(answered.sum())} production rows to learn from, {least} are needed, and too few "
            "of the reference rows have a date by which they could stand in"
        )
    return ages.newest(places[usable], most)


def learned_places(ages: Ages, places: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Of the training rows at these places of a snapshot those that a recipe learns from, in their order."""
    if recipe.kind == "recent":
        return window_of(ages, places, recipe.window_rows or 0)
    if recipe.kind == "fine_tuned" and recipe.beyond is not None:
        beyond: np.ndarray = places[ages.beyond(recipe.beyond)[places]]
        return beyond
    return places


def learned_rows(material: Material, recipe: Recipe) -> np.ndarray:
    """Places among the material's training rows of those that a recipe learns from."""
    places = material.prepared.training_places
    return np.flatnonzero(np.isin(places, learned_places(material.ages, places, recipe)))


def row_weights(material: Material, recipe: Recipe) -> np.ndarray | None:
    """float (training rows,), mean 1, halving every half life from the newest row on; None: all alike."""
    if recipe.half_life_rows is None:
        return None
    since = material.ages.rows_since(material.prepared.training_places)
    weights = np.exp2(-since / recipe.half_life_rows)
    return np.asarray(weights / weights.mean())


def _refuse_absent_classes(material: Material, rows: LabelledRows) -> None:
    lacking = sorted(set(material.prepared.contract.classes) - set(rows.labels.tolist()))
    if lacking:
        raise NotTrainable(f"the newest {len(rows):,} rows have none of {', '.join(lacking)}")
