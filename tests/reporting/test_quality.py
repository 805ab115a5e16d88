"""Promised, estimated, realised: what can be said is said, what cannot has a sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest

from loop.evaluation import Score
from loop.quality_words import BLIND, EVERY_ROW, HOLDS, OFF_HIGH
from reporting.quality import QualityNumbers, quality_of, stored_score
from reporting.windows import Answered
from storage.label_delays import CoverageOfAge, LabelDelays
from use_cases.contract import Contract

CONTRACT = Contract(use_case="small", target="visit", classes=("no", "yes"), positive=("yes",), columns=())
PROMISED = Score(0.89, 0.87, 0.91)
KEYS = {
    *("metric", "reference", "realised", "estimated", "estimate_error", "coverage", "delay_hours"),
    *("coverage_by_age", "scores", "estimated_scores", "classes", "confusion", "confidence"),
}


def answered(rows: int, labelled: int, *, seed: int = 0, turned: bool = False) -> Answered:
    """Answers of a model that knows its chances, the truth told of the first ones."""
    generator = np.random.default_rng(seed)
    chance = 1 / (1 + np.exp(-generator.normal(scale=2, size=rows)))
    names = np.array(["no", "yes"], dtype=object)
    labels = names[((generator.random(rows) < chance) ^ turned).astype(int)]
    labels[labelled:] = None
    return Answered(
        labels=labels,
        predictions=names[(chance > 0.5).astype(int)],
        probabilities=np.column_stack([1 - chance, chance]),
        identities=np.arange(rows).astype(str).astype(object),
        places=np.arange(rows),
        total_rows=rows,
        total_labelled=labelled,
    )


REFERENCE = answered(2_000, 2_000, seed=99)


def told(
    window: Answered,
    *,
    reference: Answered = REFERENCE,
    metric: str = "roc_auc",
    promised: Score | None = PROMISED,
    delays: LabelDelays | None = None,
) -> QualityNumbers:
    return quality_of(
        window,
        reference,
        CONTRACT,
        metric,
        margin=0.02,
        reference_score=promised,
        seed=0,
        delays=delays,
    )


def test_the_three_numbers_stand_side_by_side() -> None:
    numbers = told(answered(1_000, 400))
    found = json.loads(json.dumps(numbers.to_json(), allow_nan=False))
    assert set(found) == KEYS
    assert found["reference"] == {"value": 0.89, "low": 0.87, "high": 0.91}
    assert found["realised"]["rows"] == 400 and found["estimated"]["rows"] == 600
    assert found["estimated"]["of"] == "unlabelled" and found["coverage"] == 0.4
    assert found["realised"]["value"] == pytest.approx(found["estimated"]["value"], abs=0.05)
    off = found["estimate_error"]
    assert off["low"] <= 0 <= off["high"] and off["rows"] == 400
    assert off["estimated"] - off["value"] == pytest.approx(found["realised"]["value"])
    assert sum(map(sum, found["confusion"]["counts"])) == 400
    assert found["classes"]["yes"]["rows"] + found["classes"]["no"]["rows"] == 400
    assert sum(one["rows"] for one in found["confidence"]) == 400
    assert numbers.notes == (HOLDS, BLIND) and numbers.decision.decision == "NO_ACTION"


def test_a_changed_concept_shows_in_the_realised_number_alone() -> None:
    numbers = told(answered(1_000, 400, turned=True))
    found = numbers.to_json()
    assert found["estimated"]["low"] > 0.8 and found["realised"]["high"] < 0.3
    assert found["estimate_error"]["low"] > 0.5
    assert numbers.notes == (OFF_HIGH, BLIND)
    assert numbers.decision.decision == "RETRAIN" and "below its reference" in numbers.decision.reason


def test_without_labels_quality_is_only_estimated() -> None:
    numbers = told(answered(300, 0))
    found = numbers.to_json()
    assert found["realised"] is None and found["estimate_error"] is None and found["scores"] == {}
    assert found["estimated"]["value"] == pytest.approx(0.89, abs=0.05) and found["coverage"] == 0.0
    assert numbers.notes == ("None of 300 answers has its true answer yet: no quality is realised.", BLIND)
    assert numbers.decision.decision == "NO_ACTION"


def test_where_all_are_labelled_the_estimate_speaks_of_all() -> None:
    numbers = told(answered(300, 290))
    assert numbers.to_json()["estimated"]["of"] == "all" and EVERY_ROW in numbers.notes


@pytest.mark.parametrize("labelled", [1, 19])
def test_too_few_labels_give_no_score(labelled: int) -> None:
    numbers = told(answered(300, labelled))
    assert numbers.to_json()["realised"] is None
    assert numbers.notes[0].startswith(f"{labelled} of 300 answers have a true answer")
    assert "too few" in numbers.decision.reason


@pytest.mark.parametrize("rows", [0, 1])
def test_hardly_any_answers_are_no_error(rows: int) -> None:
    found = told(answered(rows, rows)).to_json()
    assert found["realised"] is None and found["estimated"] is None
    assert found["coverage"] == (None if rows == 0 else 1.0)


def test_one_class_alone_leaves_out_what_it_cannot_tell() -> None:
    window = answered(100, 100)
    window.labels[:] = "no"
    numbers = told(window)
    found = numbers.to_json()
    assert found["realised"] is None and found["scores"]["accuracy"] is not None
    assert "All 100 true answers are 'no': roc_auc cannot be told of one class." in numbers.notes
    assert found["classes"]["yes"]["recall"] is None
    json.dumps(found, allow_nan=False)


def test_answers_the_model_cannot_give_are_counted_and_named() -> None:
    window = answered(400, 300)
    window.labels[:40] = "maybe"
    numbers = told(window)
    assert numbers.to_json()["realised"]["rows"] == 260
    assert numbers.notes[0].startswith(
        "40 of 300 true answers are none that the model can give: 'maybe' (40)."
    )


def test_a_reference_too_small_or_of_one_class_gives_no_estimate() -> None:
    one_class = answered(500, 500)
    one_class.labels[:] = "no"
    for reference in (answered(99, 99), answered(500, 0), one_class):
        numbers = told(answered(300, 100), reference=reference)
        found = numbers.to_json()
        assert found["estimated"] is None and found["estimate_error"] is None
        assert found["realised"] is not None
        assert any(note.startswith("No quality is estimated") for note in numbers.notes)


def test_a_metric_that_cannot_be_estimated_is_named() -> None:
    numbers = told(answered(300, 100), metric="calibration_error", promised=Score(0.03, 0.02, 0.04))
    found = numbers.to_json()
    assert found["estimated"] is None and found["realised"]["value"] > 0
    assert numbers.notes[0].startswith("calibration_error cannot be estimated")


def test_a_champion_without_a_reference_score_is_told_without_it() -> None:
    numbers = told(answered(300, 100), promised=None)
    assert numbers.to_json()["reference"] is None and "no reference" in numbers.decision.reason


def test_delays_and_ages_go_with_the_numbers() -> None:
    ages = (CoverageOfAge(0.0, 1.0, 10, 0), CoverageOfAge(1.0, 24.0, 0, 0), CoverageOfAge(24.0, None, 90, 60))
    found = told(
        answered(300, 100), delays=LabelDelays(100, 60, {0.1: 1.0, 0.5: 20.0, 0.9: 200.0}, ages)
    ).to_json()
    assert found["delay_hours"] == {"0.1": 1.0, "0.5": 20.0, "0.9": 200.0}
    assert found["coverage_by_age"] == [
        {"from_hours": 0.0, "to_hours": 1.0, "rows": 10, "labelled": 0},
        {"from_hours": 24.0, "to_hours": None, "rows": 90, "labelled": 60},
    ]
    none = told(answered(300, 0), delays=LabelDelays(300, 0, {}, ())).to_json()
    assert none["delay_hours"] is None and none["coverage_by_age"] == []


def test_the_stored_score_of_a_version_is_its_reference() -> None:
    stored = '{"roc_auc": {"value": 0.8, "low": 0.7, "high": null}, "f1": {"value": null}}'
    assert stored_score(stored, "roc_auc") == Score(0.8, 0.7, 0.8)
    assert stored_score(stored, "f1") is None and stored_score("{}", "roc_auc") is None
