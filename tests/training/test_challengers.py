"""The four kinds of challengers: what each learns from, when it is refused, that it repeats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loop.progress import Silence
from loop.refusals import NotTrainable
from storage.database import Database
from tests.training.cases import NOW, Case, auc, flipped
from tests.training.cases import case as case
from tests.training.cases import sgd_case as sgd_case
from tests.training.conftest import use_case_of, visits
from tests.training.production import stream
from training.challengers import cross_validated, fit_challengers, follow
from training.gathering import gather
from training.graph import open_graph
from training.material import Material
from training.recipe import Recipe


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
