"""The benchmark of the estimate, shortened: it passes as it is, and fails with an estimate that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import benchmarks.estimation as benchmark
from benchmarks.estimation import broken, table, windowed
from benchmarks.watched import Watched
from loop.evaluation import Score
from use_cases.contract import Contract
from use_cases.use_case import UseCase

YAML = """\
source: {csv: reference.csv}
target: visit
positive: "yes"
metric: roc_auc
embedding: {kind: columns}
"""
CLASSES = ("no", "yes")

pytestmark = [pytest.mark.slow]


def watched(rows: int, seed: int, turned: bool = False) -> Watched:
    """Answers of a model that knows its chances."""
    generator = np.random.default_rng(seed)
    chance = 1 / (1 + np.exp(-generator.normal(scale=2, size=rows)))
    is_yes = (generator.random(rows) < chance) ^ turned
    return Watched(
        UseCase.from_yaml(YAML, "small"),
        Contract(use_case="small", target="visit", classes=CLASSES, positive=("yes",), columns=()),
        (),
        pd.DataFrame(index=pd.RangeIndex(rows)),
        np.zeros((rows, 0), np.float32),
        np.column_stack([1 - chance, chance]),
        np.where(is_yes, "yes", "no"),
        np.arange(rows).astype(str).astype(object),
    )


def pairs(turned: bool = False) -> list[tuple[Watched, Watched]]:
    return [(watched(2_000, 99), watched(500, seed, turned)) for seed in range(12)]


def test_the_promises_are_kept_where_nothing_changes() -> None:
    found = windowed("small, other persons", pairs())
    assert [one.metric for one in found] == ["roc_auc", "accuracy"]
    assert broken(found) == []
    assert "| small, other persons | roc_auc | 12 |" in table(found)


def test_a_changed_concept_is_off_and_seen_once_labels_come() -> None:
    auc, _ = windowed("small, turned", pairs(turned=True))
    assert auc.off > 0.5 and auc.inside == 0 and auc.is_seen.all()
    assert len(broken([auc])) == 2


@pytest.mark.parametrize("wrong", [lambda value: value - 0.1, lambda value: value + 0.05])
def test_a_wrong_estimate_breaks_them(
    wrong: Callable[[float], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    true = benchmark.estimate

    def shifted(*answers: object, **how: object) -> dict[str, Score]:
        found = true(*answers, **how)  # type: ignore[arg-type]
        return {
            name: replace(one, value=wrong(one.value), low=wrong(one.low), high=wrong(one.high))
            for name, one in found.items()
        }

    monkeypatch.setattr(benchmark, "estimate", shifted)
    assert broken(windowed("small, other persons", pairs())) != []
