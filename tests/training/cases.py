"""A champion, and production rows that contradict it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loop.evaluation import score
from loop.progress import Silence
from storage.database import Database
from tests.training.conftest import use_case_of, visits
from training.challengers import Challenger, fit_challengers
from training.gathering import gather
from training.material import Material
from training.opened import OpenedVersion
from use_cases.use_case import UseCase

NOW = 1_700_000_000_000
CANDIDATES = {
    "sgd": {},
    "random_forest": {"n_estimators": 10, "min_samples_leaf": 5},
    "logistic_regression": {},
}


def flipped(rows: int, seed: int) -> pd.DataFrame:
    """Other persons, of whom the opposite is true."""
    frame = visits(rows, seed=seed)
    return frame.assign(
        person=[f"n{i}" for i in range(rows)], visited=np.where(frame["visited"] == "yes", "no", "yes")
    )


class Case:
    """Reference rows with a champion fitted on them, and production rows that contradict it."""

    def __init__(self, folder: Path, candidate: str) -> None:
        self.use_case = use_case_of(
            candidates={candidate: CANDIDATES[candidate]}, policy={"recent_rows": 800, "half_life_rows": 200}
        )
        self.folder = folder
        self.database = Database.open(f"sqlite:///{folder / 'rebento.sqlite'}")
        self.database.migrate()
        visits().to_parquet(folder / "visits.parquet")
        self.reference = self.material()
        (first,), _ = fit_challengers(
            self.reference, None, has_champion=False, is_thorough=False, progress=Silence()
        )
        self.champion = first.as_version(self.reference, "visits:first")

    def material(self, use_case: UseCase | None = None) -> Material:
        wanted = use_case or self.use_case
        found = gather(
            wanted,
            data=self.folder,
            home=self.folder,
            database=self.database,
            as_of=None,
            instant_ms=NOW * 2,
        )
        return Material.of(wanted, found.rows, found.instant_ms)

    def challengers(self, champion: OpenedVersion | None = None) -> tuple[dict[str, Challenger], str]:
        fitted, notes = fit_challengers(
            self.material(),
            champion or self.champion,
            has_champion=True,
            is_thorough=False,
            progress=Silence(),
        )
        return {one.kind: one for one in fitted}, "; ".join(notes)


@pytest.fixture(params=["sgd", "random_forest"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    made = Case(tmp_path, request.param)
    yield made
    made.database.close()


@pytest.fixture
def sgd_case(tmp_path: Path) -> Iterator[Case]:
    made = Case(tmp_path, "sgd")
    yield made
    made.database.close()


def auc(contract: Any, graph: Any, material: Material, places: np.ndarray) -> float:
    prepared = material.prepared
    rows = prepared.holdout.take(np.flatnonzero(np.isin(prepared.holdout_places, places)))
    answers = graph.answer(rows.rows.numbers, rows.rows.categories).probabilities
    return score("roc_auc", rows.labels.tolist(), answers, contract.classes, ("yes",))
