from __future__ import annotations

import numpy as np
import pytest

from loop.suspicion import Suspicion, Told, suspect

FIVE = ("a", "b", "c", "d", "e")


def labels(
    contradicted: dict[str | None, float],
    rows: int = 1000,
    seed: int = 0,
    since: dict[str, int] | None = None,
) -> list[Told]:
    """Sources by lot, ten seconds apart; each contradicts at its rate, before its row `since` at 20 %."""
    generator = np.random.default_rng(seed)
    names = list(contradicted)
    told = []
    for place in range(rows):
        source = names[generator.integers(len(names))]
        rate = contradicted[source]
        if since and source is not None and place < since.get(source, 0):
            rate = 0.2
        target = "no" if generator.random() < rate else "yes"
        told.append(Told(place, source, f"row {place}", target, "yes", 10_000 * place))
    return told


def looked(told: list[Told], expected: float | None = 0.2) -> Suspicion:
    return suspect(told, most_difference=0.2, expected_share=expected)


def test_a_source_that_contradicts_far_more_than_the_others_is_suspended() -> None:
    found = looked(labels({"a": 0.2, "b": 0.2, "c": 0.2, "d": 0.2, "e": 0.8}))
    assert [one.source for one in found.sources] == ["e"]
    assert "of the others do" in found.sources[0].reason
    assert found.decision.decision == "INVESTIGATE" and found.rows == {}


def test_poison_that_began_lately_is_seen_and_dated() -> None:
    rates: dict[str | None, float] = dict.fromkeys(FIVE, 0.2) | {"e": 0.8}
    told = labels(rates, rows=5_000, since={"e": 4_600})
    assert sum(one.source == "e" for one in told) > 900  # over the whole window the share rises by 5 points
    found = looked(told)
    assert [one.source for one in found.sources] == ["e"]
    assert abs(found.sources[0].since_ms - 46_000_000) < 1_000_000


@pytest.mark.parametrize("seed", range(20))
def test_honest_sources_that_differ_a_little_are_left_alone(seed: int) -> None:
    rates: dict[str | None, float] = {"a": 0.15, "b": 0.2, "c": 0.25, "d": 0.3, "e": 0.28}
    assert looked(labels(rates, seed=seed), expected=0.24).sources == ()


@pytest.mark.parametrize("seed", range(5))
def test_a_small_difference_is_not_seen_as_a_large_one_however_often_one_looks(seed: int) -> None:
    """A fifth of one source's labels turned round: 29 % are contradicted instead of 20 %."""
    told = labels(dict.fromkeys(FIVE, 0.2) | {"e": 0.29}, rows=6_000, seed=seed)
    assert not any(looked(told[max(0, end - 5_000) : end]).sources for end in range(500, 6_001, 250))


def test_everybody_contradicting_is_change_and_nobody_is_suspended() -> None:
    found = looked(labels(dict.fromkeys(FIVE, 0.45)))
    assert found.sources == () and found.rows == {}
    assert found.decision.decision == "INVESTIGATE" and "change, not poison" in found.decision.reason


@pytest.mark.parametrize("source", [None, "only"])
def test_a_single_or_unknown_source_is_never_suspended_for_its_share(source: str | None) -> None:
    found = looked(labels({source: 0.9}))
    assert found.sources == () and found.rows == {}
    assert found.decision.decision == "INVESTIGATE"
    beside_unknown = looked(labels({"only": 0.9, None: 0.2}))
    assert beside_unknown.sources == ()


def test_most_of_the_labels_are_never_the_exception() -> None:
    told = labels({"a": 0.8, "b": 0.2, "c": 0.2}, rows=300) + [
        Told(1_000 + i, "a", f"more {i}", "no" if i % 5 else "yes", "yes", 10_000_000 + 10_000 * i)
        for i in range(600)
    ]
    assert looked(told).sources == ()


def test_a_few_labels_say_nothing_of_their_source() -> None:
    told = labels({"a": 0.2, "b": 0.2}, rows=200)
    told += [Told(1_000 + i, "new", f"n{i}", "no", "yes", 10_000 * (200 + i)) for i in range(15)]
    assert looked(told).sources == ()


def test_one_row_labelled_again_and_again_is_counted_once() -> None:
    told = labels(dict.fromkeys(FIVE, 0.2))
    again = [Told(5_000 + i, "a", "same", "no", "yes", 10_000 * (1_000 + 2 * i)) for i in range(200)]
    found = looked(told + again)
    assert set(found.rows) == {one.feedback_id for one in again[1:]}
    assert "labelled 200 times by the same source" in found.rows[5_001]


def test_conflicting_repetitions_are_all_held_back() -> None:
    told = labels(dict.fromkeys(FIVE, 0.2))
    again = [
        Told(5_000 + i, "a", "same", ("no", "yes")[i % 2], "yes", 10_000 * (1_000 + 2 * i))
        for i in range(200)
    ]
    assert set(looked(told + again).rows) == {one.feedback_id for one in again}


def test_rows_that_everybody_labels_often_are_no_repetitions() -> None:
    told = [
        one._replace(row_key=f"one of few {one.feedback_id % 7}") for one in labels(dict.fromkeys(FIVE, 0.2))
    ]
    assert looked(told).rows == {}


def test_a_burst_that_no_other_source_comes_near_is_suspended() -> None:
    told = labels(dict.fromkeys(FIVE, 0.2), rows=500)
    told += [Told(5_000 + i, "e", f"x{i}", "yes", "yes", 6_000_000 + i) for i in range(300)]
    found = looked(told)
    assert [one.source for one in found.sources] == ["e"] and "within one second" in found.sources[0].reason
    others = [Told(9_000 + i, "a", f"y{i}", "yes", "yes", 7_000_000 + i) for i in range(200)]
    assert looked(told + others).sources == ()


def test_nothing_told_is_no_suspicion() -> None:
    assert looked([]) == Suspicion((), {}, looked([]).decision)
    assert looked([]).decision.decision == "NO_ACTION"
