from __future__ import annotations

from dataclasses import replace

import numpy as np

from loop.judge import Contender, Paired, Rules, Verdict, judge

CLASSES = ("A", "B", "C")
RULES = Rules(
    metric="accuracy",
    classes=CLASSES,
    positive=(),
    older_margin=0.1,
    recall_margin=0.05,
    calibration_margin=0.05,
    false_promotions=0.05,
)


def answers(predicted: np.ndarray, classes: int, sure: float = 0.7) -> np.ndarray:
    table = np.full((len(predicted), classes), (1 - sure) / (classes - 1))
    table[np.arange(len(predicted)), predicted] = sure
    return table


def three(rows: int, champion: tuple[float, ...], challenger: tuple[float, ...], seed: int = 0) -> Paired:
    """Classes of 45, 45 and 10 %; each model finds each at the given rate and is as sure as it is right."""
    generator = np.random.default_rng(seed)
    true = generator.choice(3, rows, p=[0.45, 0.45, 0.1])
    luck = generator.random(rows)
    both = []
    for rates in (champion, challenger):
        predicted = np.where(luck < np.array(rates)[true], true, (true == 0).astype(int))
        both.append(answers(predicted, 3, sure=float((predicted == true).mean())))
    return Paired(np.array(CLASSES)[true], np.arange(rows).astype(str), *both)


def verdict(paired: Paired, older: Paired | None = None, rules: Rules = RULES) -> Verdict:
    return judge([Contender("new", paired, older)], rules, look=1, seed=0)[0]


def test_a_model_that_gives_up_a_rare_class_is_kept_out_however_accurate_it_is() -> None:
    found = verdict(three(1000, (0.6, 0.6, 0.6), (0.9, 0.9, 0.0)))
    assert found.decision == "keep" and found.low > 0
    assert "gives up the class 'C'" in found.reason


def test_a_rare_class_that_loses_a_little_does_not_stop_a_better_model() -> None:
    assert verdict(three(1000, (0.6, 0.6, 0.6), (0.9, 0.9, 0.58))).decision == "promote"


def test_a_class_never_answered_any_more_needs_no_proof() -> None:
    """Some ten rows of a class, a few of them found: no interval proves the loss, and yet it is given up."""
    paired = three(80, (0.5, 0.5, 0.3), (1.0, 1.0, 0.0))
    assert 5 <= int((paired.labels == "C").sum()) <= 12
    assert "gives up the class 'C'" in verdict(paired).reason


def test_recall_that_was_only_chance_may_go() -> None:
    """The champion calls a fifth of everything 'yes', whatever it is; the world has left it behind."""
    generator = np.random.default_rng(3)
    true = (generator.random(1500) < 0.25).astype(int)
    champion = (generator.random(1500) < 0.2).astype(int)
    challenger = np.where(generator.random(1500) < 0.08, true, 0)
    rules = replace(RULES, classes=("no", "yes"), positive=("yes",))
    labels = np.array(["no", "yes"])[true]
    names = np.arange(1500).astype(str)
    found = verdict(Paired(labels, names, answers(champion, 2), answers(challenger, 2)), rules=rules)
    recalls = [found.champion_scores["recall"].value, found.challenger_scores["recall"].value]
    assert recalls[0] - recalls[1] > 0.05
    assert found.decision == "promote", found.reason


def test_a_model_whose_probabilities_lie_is_kept_out() -> None:
    paired = three(1000, (0.7, 0.7, 0.7), (0.8, 0.8, 0.8))
    sure = replace(paired, challenger=answers(paired.challenger.argmax(axis=1), 3, sure=0.98))
    assert verdict(paired).decision == "promote"
    assert "calibration error" in verdict(sure).reason and verdict(sure).decision == "keep"


def test_a_model_that_forgets_the_older_rows_is_kept_out() -> None:
    recent = three(1000, (0.6, 0.6, 0.6), (0.8, 0.8, 0.8))
    assert verdict(recent, three(1000, (0.6, 0.6, 0.6), (0.55, 0.55, 0.55), seed=1)).decision == "promote"
    forgot = verdict(recent, three(1000, (0.6, 0.6, 0.6), (0.35, 0.35, 0.35), seed=1))
    assert forgot.decision == "keep" and "older rows" in forgot.reason


def test_older_rows_of_a_world_that_is_gone_do_not_count_against_the_right_model() -> None:
    """The champion was right in 90 % of the older rows and is in 50 % of the recent ones."""
    recent = three(1000, (0.5, 0.5, 0.5), (0.8, 0.8, 0.8))
    assert verdict(recent, three(1000, (0.9, 0.9, 0.9), (0.5, 0.5, 0.5), seed=1)).decision == "promote"
