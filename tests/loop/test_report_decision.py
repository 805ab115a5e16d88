"""The line of a report: what has changed is told apart, and the sentence says what to do."""

from __future__ import annotations

import pytest

from loop.drift import ColumnDrift, DriftNumbers, Group
from loop.report_decision import report_decision
from loop.triggers import Decision

HOLDS = Decision(
    "NO_ACTION",
    "roc_auc 0.810 (0.790 to 0.830) on 900 labelled rows is not proven below its reference 0.800 by 0.02",
    {"metric": "roc_auc", "reference": 0.8, "margin": 0.02, "value": 0.81, "low": 0.79, "high": 0.83},
)
UNSURE = Decision(
    "NO_ACTION",
    "roc_auc 0.780 (0.700 to 0.860) on 90 labelled rows is not proven below its reference 0.800 by 0.02",
    {"metric": "roc_auc", "reference": 0.8, "margin": 0.02, "value": 0.78, "low": 0.7, "high": 0.86},
)
FELL = Decision(
    "RETRAIN",
    "roc_auc 0.480 (0.450 to 0.510) on 900 labelled rows is below its reference 0.800 by more than 0.02",
    {"metric": "roc_auc", "reference": 0.8, "margin": 0.02, "value": 0.48, "low": 0.45, "high": 0.51},
)
TOO_FEW = Decision("NO_ACTION", "12 labelled rows are too few to tell the quality", {"metric": "roc_auc"})


def column(name: str, distance: float, is_drifted: bool, group: Group = "input") -> ColumnDrift:
    return ColumnDrift(name, group, "number", "jensenshannon", distance, 0.1, 0.01, is_drifted, 5_000, 500)


def numbers(
    drifted: int, *, target: float | None = 0.0, is_target: bool = False, is_answer: bool = False
) -> DriftNumbers:
    """Of 20 inputs."""
    inputs = [
        column(f"c{place}", 0.5 - place / 100 if place < drifted else 0.02, place < drifted)
        for place in range(20)
    ]
    others = [column("prediction", 0.2, is_answer, "prediction")]
    if target is not None:
        others.append(column("churn", target, is_target, "target"))
    return DriftNumbers((*inputs, *others), drifted / 20, target, 0.2)


def line(drift: DriftNumbers, quality: Decision | None, rows: int = 1_000) -> str:
    found = decided(drift, quality, rows)
    return f"{found.decision} {found.reason}"


def decided(drift: DriftNumbers, quality: Decision | None, rows: int = 1_000) -> Decision:
    return report_decision(drift, quality, drift_share=0.3, target_drift=0.1, rows=rows, least_rows=100)


def test_all_quiet_is_one_short_line() -> None:
    assert line(numbers(0), HOLDS) == "NO_ACTION drift_share=0.00 < 0.30 (target_drift=0.0)"
    assert line(numbers(0), None) == "NO_ACTION drift_share=0.00 < 0.30 (target_drift=0.0)"


def test_few_drifted_columns_are_named_and_nothing_is_done() -> None:
    said = line(numbers(1, target=0.012), UNSURE)
    assert said == "NO_ACTION drift_share=0.05 < 0.30 (target_drift=0.01): c0 0.5 drifted"


def test_inputs_drifted_and_no_label_says_train_and_label() -> None:
    said = line(numbers(9, target=None), None)
    assert said.startswith(
        "RETRAIN drift_share=0.45 >= 0.30 (target_drift=unknown): inputs drifted (c0 0.5, "
    )
    assert "and 6 more" in said and "quality is unknown" in said and "give labels" in said


def test_inputs_drifted_and_quality_not_proven_either_way_says_train_and_label_more() -> None:
    for quality in (UNSURE, TOO_FEW):
        said = line(numbers(9), quality)
        assert said.startswith("RETRAIN drift_share=0.45 >= 0.30 (target_drift=0.0): inputs drifted")
        assert quality.reason in said and "label more" in said


def test_inputs_drifted_but_quality_proven_to_hold_says_look() -> None:
    said = line(numbers(9), HOLDS)
    assert said.startswith("INVESTIGATE drift_share=0.45 >= 0.30 (target_drift=0.0): inputs drifted")
    assert "but quality holds: roc_auc 0.790 to 0.830 is proven no more than 0.02 below its" in said
    assert "look where" in said


def test_inputs_alike_and_quality_proven_down_is_a_changed_concept() -> None:
    found = decided(numbers(1), FELL)
    assert found.numbers["change"] == "concept"
    assert found.should_train
    assert found.reason.startswith("drift_share=0.05 < 0.30 (target_drift=0.0): the concept has changed")
    assert FELL.reason in found.reason


def test_inputs_drifted_and_quality_proven_down_says_both() -> None:
    found = decided(numbers(9), FELL)
    assert (found.decision, found.numbers["change"]) == ("RETRAIN", "covariates and quality")
    assert "inputs drifted" in found.reason and FELL.reason in found.reason


def test_a_moved_target_alone_is_told_apart() -> None:
    found = decided(numbers(0, target=0.25, is_target=True), None)
    assert (found.decision, found.numbers["change"]) == ("RETRAIN", "target")
    assert "the target drifted (distance 0.25)" in found.reason and "inputs drifted" not in found.reason
    assert decided(numbers(0, target=0.25, is_target=True), HOLDS).decision == "INVESTIGATE"


def test_a_moved_target_that_may_be_luck_or_is_too_small_is_not_acted_on() -> None:
    assert decided(numbers(0, target=0.25, is_target=False), None).decision == "NO_ACTION"
    assert decided(numbers(0, target=0.05, is_target=True), None).decision == "NO_ACTION"


def test_answers_that_drift_while_few_inputs_do_are_looked_at() -> None:
    found = decided(numbers(1, is_answer=True), None)
    assert (found.decision, found.numbers["change"]) == ("INVESTIGATE", "answers")
    assert "prediction 0.2" in found.reason and "c0 0.5" in found.reason


@pytest.mark.parametrize("drifted", [0, 9])
@pytest.mark.parametrize("rows", [0, 1, 99])
def test_too_few_rows_say_nothing_of_drift(drifted: int, rows: int) -> None:
    found = decided(numbers(drifted), HOLDS, rows)
    assert (found.decision, found.numbers["change"]) == ("INVESTIGATE", "unknown")
    assert f"{rows} row{' is' if rows == 1 else 's are'} too few" in found.reason and "100" in found.reason


def test_quality_proven_down_is_acted_on_however_few_the_rows() -> None:
    assert decided(numbers(0), FELL, 60).decision == "RETRAIN"


def test_a_share_at_the_threshold_is_drift() -> None:
    assert line(numbers(6), None).startswith("RETRAIN drift_share=0.30 >= 0.30 ")


def test_a_use_case_without_inputs_to_compare_has_not_drifted() -> None:
    nothing = DriftNumbers((), 0.0, None, None)
    found = report_decision(nothing, None, drift_share=0.0, target_drift=0.1, rows=500, least_rows=100)
    assert found.decision == "NO_ACTION"


def test_where_any_drift_is_to_count_none_still_does_not() -> None:
    found = report_decision(numbers(0), None, drift_share=0.0, target_drift=0.0, rows=500, least_rows=100)
    assert found.decision == "NO_ACTION"
    found = report_decision(numbers(1), None, drift_share=0.0, target_drift=0.0, rows=500, least_rows=100)
    assert found.decision == "RETRAIN"


def test_for_a_loss_holding_means_not_higher() -> None:
    low_loss = {"metric": "log_loss", "reference": 0.4, "margin": 0.02, "low": 0.3, "high": 0.41}
    held = decided(numbers(9), Decision("NO_ACTION", "r", low_loss))
    assert held.decision == "INVESTIGATE" and "no more than 0.02 above its reference 0.400" in held.reason
    assert decided(numbers(9), Decision("NO_ACTION", "r", low_loss | {"high": 0.5})).decision == "RETRAIN"


def test_what_was_measured_is_kept_as_numbers() -> None:
    kept = decided(numbers(9), HOLDS).numbers
    assert (kept["drift_share"], kept["drift_threshold"], kept["rows"]) == (0.45, 0.3, 1_000)
    assert (kept["quality_metric"], kept["quality_low"]) == ("roc_auc", 0.79)
