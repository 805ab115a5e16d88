"""The benchmark of the loop, shortened: it passes with the judge, and fails with one that is broken."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.calm import Judge, Rows, calm_replays, share_of_false
from benchmarks.loop import REBENTO, Line, helps, is_calm, kept, line, replayed, resists
from benchmarks.rivals import answers_of
from benchmarks.streams import POISONER, streamflow
from loop.judge import Contender, Rules, Verdict, judge
from tests.shared_data import DATA

ROWS = 3_800


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A replay, meant for a process of its own, turns logging off."""
    before = logging.root.manager.disable
    yield
    logging.disable(before)


@pytest.fixture(scope="module")
def luck() -> Rows:
    """Labels that nothing can predict."""
    return Rows.of(streamflow((DATA / "streamflow_seeds.zip").parent)).meaningless()


def always_promotes(contenders: list[Contender], rules: Rules, **how: Any) -> tuple[Verdict, ...]:
    first, *others = judge(contenders, rules, **how)
    return (replace(first, decision="promote"), *others)


def ignores_looks(contenders: list[Contender], rules: Rules, *, look: int, seed: int) -> tuple[Verdict, ...]:
    return judge(contenders, rules, look=1, seed=seed)


def never_promotes(contenders: list[Contender], rules: Rules, **how: Any) -> tuple[Verdict, ...]:
    return tuple(replace(one, decision="keep") for one in judge(contenders, rules, **how))


@pytest.mark.slow
def test_without_drift_the_judge_hardly_ever_promotes_by_luck(luck: Rows) -> None:
    assert is_calm("luck", calm_replays(luck, 24, processes=1)) == []


@pytest.mark.slow
@pytest.mark.parametrize(("broken", "replays"), [(always_promotes, 4), (ignores_looks, 40)])
def test_a_judge_broken_on_purpose_fails_the_benchmark(luck: Rows, broken: Judge, replays: int) -> None:
    found = calm_replays(luck, replays, processes=1, judged_by=broken)
    assert share_of_false(found) > 0.05
    assert "promote falsely" in is_calm("luck", found)[0]


@pytest.mark.slow
def test_rebento_keeps_the_gain_and_a_judge_that_never_promotes_fails_the_benchmark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    month = streamflow((DATA / "streamflow_seeds.zip").parent).first(ROWS)
    lines = [line(rival, month, answers_of(rival, month)) for rival in ("never", "sliding window")]
    found = replayed(month, "month")
    assert found.promotions and len(found.probabilities) == ROWS
    assert len(set(found.bentos)) == len(found.promotions) + 1
    assert helps([*lines, line(REBENTO, month, found.probabilities)]) == []

    monkeypatch.setattr("training.judging.judge", never_promotes)
    timid = replayed(month, "month")
    assert timid.promotions == []
    assert len(helps([*lines, line(REBENTO, month, timid.probabilities)])) == 2


def test_the_gain_kept_is_the_share_of_the_best_policy_s() -> None:
    lines = [
        Line("never", 0.6, 0.6, ()),
        Line("sliding window", 0.7, 0.8, ()),
        Line(REBENTO, 0.695, 0.76, ()),
    ]
    assert kept(lines, "accuracy") == pytest.approx(0.95)
    assert kept(lines, "roc_auc") == pytest.approx(0.8)
    assert helps(lines) == ["Rebento keeps 80% of the best policy's gain in roc_auc, fewer than 90%"]


def test_a_point_lost_to_poison_fails_the_benchmark() -> None:
    clean = Line("clean", 0.70, 0.80, ())
    assert resists(clean, Line("poisoned", 0.691, 0.791, ())) == []
    assert "0.0110 of roc_auc" in resists(clean, Line("poisoned", 0.691, 0.789, ()))[0]


def test_poison_turns_labels_of_one_source_and_only_from_its_instant_on() -> None:
    month = streamflow((DATA / "streamflow_seeds.zip").parent)
    turned = np.array(month.poisoned(0.2, since=1_000, seed=0).told) != np.array(month.told)
    assert not turned[:1_000].any()
    of_source = np.array(month.sources) == POISONER
    assert not turned[~of_source].any()
    assert 0.15 < turned[1_000:][of_source[1_000:]].mean() < 0.25
