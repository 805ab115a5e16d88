"""What may be taught further, and how far."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.cases import NOW, Case, flipped
from tests.training.cases import case as case
from tests.training.cases import sgd_case as sgd_case
from tests.training.production import stream


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


def test_settings_that_weigh_classes_forbid_fine_tuning(tmp_path: Path) -> None:
    case = Case(tmp_path, "sgd")
    stream(case.database, case.use_case, flipped(200, seed=7), at_ms=NOW)
    pipeline = case.champion.read_pipeline()
    pipeline.model.set_params(class_weight="balanced")
    _, notes = case.challengers()
    case.database.close()
    assert "weighs classes by class_weight" in notes
