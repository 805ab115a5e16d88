"""The four kinds of challengers: what each learns from, when it is refused, that it repeats."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loop.evaluation import score
from loop.progress import Silence
from loop.refusals import NotTrainable
from storage.database import Database
from tests.training.conftest import use_case_of, visits
from tests.training.production import stream
from training.challengers import Challenger, cross_validated, fit_challengers, follow
from training.gathering import gather
from training.graph import open_graph
from training.judging import judge_challengers, judged_rows
from training.material import Material
from training.opened import OpenedVersion
from training.recipe import Recipe
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


def test_each_kind_learns_what_it_is_for(case: Case) -> None:
    stream(case.database, case.use_case, flipped(900, seed=7), at_ms=NOW)
    found, notes = case.challengers()
    assert list(found) == ["fresh", "recent", "weighted", "fine_tuned"] and not notes
    material = case.material()
    answered = int(material.ages.is_production[material.prepared.training_places].sum())
    assert len(found["fresh"].training) == len(material.prepared.training) > answered
    assert len(found["recent"].training) == min(800, answered) == answered
    assert len(found["fine_tuned"].training) == answered
    assert all(name.startswith("n") for name in found["fine_tuned"].training.identities)
    new = np.flatnonzero(material.is_holdout & material.ages.is_production)
    old = np.flatnonzero(material.is_holdout & ~material.ages.is_production)
    champion = case.champion
    areas = {
        kind: [auc(one.contract, open_graph(one.pipeline.graph), material, p) for p in (old, new)]
        for kind, one in found.items()
    }
    assert auc(champion.contract, champion.graph, material, new) < 0.4
    assert areas["recent"][1] > 0.6 and areas["recent"][0] < 0.4, areas
    assert areas["weighted"][1] > areas["fresh"][1] - 0.02, areas
    assert areas["fine_tuned"][1] > auc(champion.contract, champion.graph, material, new) + 0.1, areas


def test_the_judge_sees_recent_holdout_rows_alone(sgd_case: Case) -> None:
    use_case = sgd_case.use_case.model_copy(
        update={"policy": sgd_case.use_case.policy.model_copy(update={"judged_rows": 100})}
    )
    sgd_case.use_case = use_case
    stream(sgd_case.database, use_case, flipped(900, seed=7), at_ms=NOW)
    material = sgd_case.material()
    rows = judged_rows(material, sgd_case.champion)
    answered = np.flatnonzero(material.is_holdout & material.ages.is_production)
    assert rows.recent.tolist() == answered[-100:].tolist()
    assert rows.older.tolist() == answered[:-100].tolist()
    fitted, _ = fit_challengers(
        material, sgd_case.champion, has_champion=True, is_thorough=False, progress=Silence()
    )
    judgement = judge_challengers(material, sgd_case.champion, fitted, None, look=1)
    assert {one.challenger for one in judgement.verdicts} == {one.kind for one in fitted}
    assert judgement.verdicts[0].decision == "promote" and judgement.verdicts[0].rows == 100
    assert judgement.verdicts[0].difference > 0.2 and judgement.refused == 0


def test_a_standing_challenger_is_judged_on_all_rows_that_came_after_it(sgd_case: Case) -> None:
    stream(sgd_case.database, sgd_case.use_case, flipped(300, seed=7), at_ms=NOW)
    before = sgd_case.material()
    fitted, _ = fit_challengers(
        before, sgd_case.champion, has_champion=True, is_thorough=False, progress=Silence()
    )
    standing = fitted[0].as_version(before, "visits:standing")
    stream(sgd_case.database, sgd_case.use_case, flipped(200, seed=8), at_ms=NOW + 10**6, name="later")
    after = sgd_case.material()
    judgement = judge_challengers(after, sgd_case.champion, fitted[:1], standing, look=2)
    by_name = {one.challenger: one for one in judgement.verdicts}
    held = int((before.is_holdout & before.ages.is_production).sum())
    assert by_name["visits:standing"].rows == held + 200
    assert by_name["fresh"].rows == held + int(after.is_holdout[-200:].sum())
    assert by_name["fresh"].look == 2


def test_with_no_rows_newer_than_the_champion_there_is_only_a_fresh_one(sgd_case: Case) -> None:
    found, notes = sgd_case.challengers()
    assert list(found) == ["fresh"]
    assert "no recent challenger: there are 0 production rows" in notes
    assert "no weighted challenger: no row is known to be newer" in notes
    assert "no fine_tuned challenger: visits:first has seen all of the rows" in notes


def test_few_production_rows_are_filled_up_with_dated_reference_rows(tmp_path: Path) -> None:
    frame = visits(1_200).assign(day=pd.date_range("2024-01-01", periods=1_200, freq="h"))
    use_case = use_case_of(
        time="day", candidates={"sgd": {}}, policy={"recent_rows": 600, "half_life_rows": 200}
    )
    frame.to_parquet(tmp_path / "visits.parquet")
    with_rows = Database.open(f"sqlite:///{tmp_path / 'rebento.sqlite'}")
    with_rows.migrate()
    stream(with_rows, use_case, flipped(100, seed=3).assign(day=pd.Timestamp("2024-06-01")), at_ms=NOW)
    found = gather(use_case, data=tmp_path, home=tmp_path, database=with_rows, as_of=None, instant_ms=NOW * 2)
    with_rows.close()
    material = Material.of(use_case, found.rows, NOW)
    fitted, _ = fit_challengers(material, None, has_champion=True, is_thorough=False, progress=Silence())
    (recent,) = (one for one in fitted if one.kind == "recent")
    names = set(recent.training.identities.tolist())
    assert len(recent.training) == 600
    assert sum(name.startswith("n") for name in names) == 100 - int(material.is_holdout[-100:].sum())
    assert min(int(name[1:]) for name in names if name.startswith("p")) > 100, "the newest, not the first"


def test_a_model_that_cannot_learn_on_is_said_to_be_one(tmp_path: Path) -> None:
    case = Case(tmp_path, "logistic_regression")
    stream(case.database, case.use_case, flipped(200, seed=7), at_ms=NOW)
    found, notes = case.challengers()
    case.database.close()
    assert "fine_tuned" not in found and "weighted" in found
    assert "the champion's logistic_regression cannot learn on" in notes


@pytest.mark.slow
def test_a_forest_grows_four_times_and_no_more(tmp_path: Path) -> None:
    case = Case(tmp_path, "random_forest")
    champion, trees = case.champion, []
    for generation in range(4):
        stream(
            case.database,
            case.use_case,
            flipped(200, seed=generation),
            at_ms=NOW + generation * 10**6,
            name=f"g{generation}-",
        )
        found, notes = case.challengers(champion)
        if "fine_tuned" not in found:
            break
        taught = found["fine_tuned"]
        trees.append(len(taught.pipeline.model.estimators_))
        champion = taught.as_version(case.material(), f"visits:{generation}")
    case.database.close()
    assert trees == [20, 30, 40] and "grown to 40 trees" in notes


@pytest.mark.slow
def test_the_same_recipe_gives_the_same_bytes(case: Case) -> None:
    stream(case.database, case.use_case, flipped(700, seed=7), at_ms=NOW)
    found, _ = case.challengers()
    stream(case.database, case.use_case, flipped(50, seed=9), at_ms=NOW * 3, name="after")
    material = case.material()
    for kind, one in found.items():
        ancestor = case.champion.as_ancestor() if kind == "fine_tuned" else None
        recipe = Recipe.model_validate_json(one.recipe.model_dump_json())
        again = follow(recipe, material, ancestor)
        assert again.pipeline.graph.SerializeToString(
            deterministic=True
        ) == one.pipeline.graph.SerializeToString(deterministic=True), kind
        assert again.contract == one.contract


def test_answers_of_the_reference_sample_come_from_models_that_had_not_seen_the_row(case: Case) -> None:
    stream(case.database, case.use_case, flipped(700, seed=7), at_ms=NOW)
    found, _ = case.challengers()
    material = case.material()
    for one in found.values():
        comparison = cross_validated(material, one, Silence())
        assert comparison.out_of_fold.shape == (len(one.training), 2)
        assert np.allclose(comparison.out_of_fold.sum(axis=1), 1)
        seen = one.pipeline.probabilities(one.pipeline.embedding.vectors(one.training.rows))
        assert not np.allclose(seen, comparison.out_of_fold, atol=1e-4)


def test_settings_that_weigh_classes_forbid_fine_tuning(tmp_path: Path) -> None:
    case = Case(tmp_path, "sgd")
    stream(case.database, case.use_case, flipped(200, seed=7), at_ms=NOW)
    pipeline = case.champion.read_pipeline()
    pipeline.model.set_params(class_weight="balanced")
    _, notes = case.challengers()
    case.database.close()
    assert "weighs classes by class_weight" in notes


def test_where_nothing_can_be_fitted_every_reason_is_given(sgd_case: Case) -> None:
    """One class has rows of two persons: no folds, so no answers by models that had not seen them."""
    material = sgd_case.reference
    parts = (material.prepared.training, material.prepared.holdout)
    rare = [name for part in parts for name in list(dict.fromkeys(part.identities.tolist()))[:2]]
    rows = material.rows.assign(
        visited=np.where(material.rows["person"].isin(rare), "yes", "no").astype(object)
    )
    few = Material.of(sgd_case.use_case, rows, NOW)
    with pytest.raises(NotTrainable, match="rows of 2 ids"):
        fit_challengers(few, None, has_champion=False, is_thorough=True, progress=Silence())
    with pytest.raises(NotTrainable, match=r"no fresh challenger: .*2 ids.*; no recent challenger"):
        fit_challengers(few, sgd_case.champion, has_champion=True, is_thorough=False, progress=Silence())


def test_one_kind_alone_is_fitted_where_it_is_asked_for_and_refused_where_the_rows_forbid_it(
    sgd_case: Case,
) -> None:
    quiet: Any = {"is_thorough": False, "progress": Silence()}
    (fitted,), notes = fit_challengers(
        sgd_case.reference, sgd_case.champion, has_champion=True, only="fresh", **quiet
    )
    assert (fitted.kind, notes) == ("fresh", ())
    with pytest.raises(NotTrainable, match="against a champion, and nothing is in Production: train a fresh"):
        fit_challengers(sgd_case.reference, None, has_champion=False, only="recent", **quiet)
    with pytest.raises(NotTrainable):  # the champion knows every row there is
        fit_challengers(sgd_case.reference, sgd_case.champion, has_champion=True, only="fine_tuned", **quiet)
