from __future__ import annotations

import numpy as np
import pytest

from loop.triggers import Decision, may_start, quality_decision, schedule_decision

TWO = ("no", "yes")
HOUR_MS = 3_600_000


def window(rows: int, right: float, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Labels, and answers of which just that share is right."""
    generator = np.random.default_rng(seed)
    true = generator.random(rows) < 0.5
    said = np.where(np.arange(rows) < round(rows * right), true, ~true)
    likely = np.where(said, 0.8, 0.2)
    return np.where(true, "yes", "no").tolist(), np.column_stack([1 - likely, likely])


def quality(rows: int, right: float, reference: float, metric: str = "accuracy") -> Decision:
    labels, answers = window(rows, right)
    return quality_decision(metric, reference, labels, answers, TWO, ("yes",), margin=0.02, seed=0)


def test_quality_asks_for_a_training_only_where_the_whole_interval_is_below() -> None:
    fallen = quality(600, right=0.7, reference=0.85)
    assert fallen.should_train and "below its reference 0.850 by more than 0.02" in fallen.reason
    unsure = quality(60, right=0.78, reference=0.85)
    assert float(unsure.numbers["value"]) < 0.85 - 0.02  # type: ignore[arg-type]
    assert unsure.decision == "NO_ACTION" and "not proven below" in unsure.reason
    assert quality(600, right=0.86, reference=0.85).decision == "NO_ACTION"


def test_a_loss_is_worse_when_it_rises() -> None:
    assert quality(600, right=0.55, reference=0.5, metric="log_loss").should_train
    assert quality(600, right=0.95, reference=0.5, metric="log_loss").decision == "NO_ACTION"


@pytest.mark.parametrize("rows", [0, 1, 49])
def test_few_rows_say_nothing_of_quality(rows: int) -> None:
    found = quality(rows, right=0.0, reference=0.9)
    assert found.decision == "NO_ACTION" and "too few" in found.reason


def test_one_class_says_nothing_of_quality() -> None:
    answers = np.tile([0.1, 0.9], (500, 1))
    found = quality_decision("roc_auc", 0.9, ["no"] * 500, answers, TWO, ("yes",), margin=0.02, seed=0)
    assert found.decision == "NO_ACTION"


def test_without_a_reference_there_is_nothing_to_fall_below() -> None:
    assert "no reference" in quality(600, right=0.1, reference=float("nan")).reason


def test_the_schedule_counts_from_the_end_of_the_last_run() -> None:
    assert schedule_decision(24, 0, 24 * HOUR_MS).should_train
    assert not schedule_decision(24, 0, 24 * HOUR_MS - 1).should_train
    assert not schedule_decision(None, 0, 10**15).should_train
    assert not schedule_decision(24, None, 10**15).should_train


def asked(trigger: str, **facts: object) -> tuple[bool, str]:
    usual = {
        "is_paused": False,
        "is_running": False,
        "last_ended_at_ms": None,
        "cooldown_minutes": 10,
        "now_ms": 1_000_000,
    }
    return may_start(trigger, **{**usual, **facts})  # type: ignore[arg-type]


def test_one_run_at_a_time_whoever_asks() -> None:
    assert not asked("feedback", is_running=True)[0] and not asked("person", is_running=True)[0]


def test_the_cool_down_holds_what_no_person_asked_for() -> None:
    assert not asked("feedback", last_ended_at_ms=900_000)[0]
    assert asked("feedback", last_ended_at_ms=400_000)[0]
    assert asked("person", last_ended_at_ms=900_000)[0]


def test_a_pause_stops_the_automation_and_not_a_person() -> None:
    assert asked("quality", is_paused=True) == (False, "automation is paused; `rebento resume` ends that")
    assert asked("person", is_paused=True) == (True, "a person asked for it although automation is paused")
