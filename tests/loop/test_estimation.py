"""Quality before anybody told the truth."""

from __future__ import annotations

import numpy as np
import pytest

from loop.calibration import ReferenceAnswers
from loop.class_scores import class_scores, confidence_bins
from loop.estimation import ESTIMATED, Reference, estimate, estimate_error
from loop.evaluation import evaluate
from loop.quality_words import HOLDS, OFF_HIGH, OFF_LOW, estimate_sentence

TWO = ("no", "yes")
FOUR = ("A", "B", "C", "D")


def answers(
    rows: int, classes: tuple[str, ...] = TWO, *, seed: int, overconfident: float = 1.0
) -> tuple[list[str], np.ndarray]:
    """Labels drawn from true chances, and what a model says of these: as they are, or too sure."""
    generator = np.random.default_rng(seed)
    chances = np.exp(generator.normal(scale=1.5, size=(rows, len(classes))))
    chances /= chances.sum(axis=1, keepdims=True)
    labels = [classes[generator.choice(len(classes), p=row)] for row in chances]
    said = chances**overconfident
    return labels, said / said.sum(axis=1, keepdims=True)


def positive(classes: tuple[str, ...]) -> tuple[str, ...]:
    return ("yes",) if classes == TWO else ()


@pytest.mark.parametrize("classes", [TWO, FOUR])
def test_sure_and_true_probabilities_are_estimated_as_they_are_scored(classes: tuple[str, ...]) -> None:
    """Where the chances are 0 and 1, every estimated score is that of `loop.evaluation`."""
    generator = np.random.default_rng(0)
    truth = generator.integers(0, len(classes), 400)
    said = np.full((400, len(classes)), 0.02)
    said[np.arange(400), truth] = 1 - 0.02 * (len(classes) - 1)
    labels = [classes[place] for place in truth]
    estimated = estimate(said, classes, positive(classes), Reference(labels, said), seed=0, resamples=20)
    scored = evaluate(labels, said, classes, positive(classes), seed=0, resamples=20).scores
    assert tuple(estimated) == ESTIMATED
    for name in ESTIMATED:
        assert estimated[name].value == pytest.approx(scored[name].value, abs=1e-9), name


@pytest.mark.parametrize("classes", [TWO, FOUR])
@pytest.mark.parametrize("overconfident", [1.0, 2.5])
def test_estimates_come_near_what_the_truth_shows(classes: tuple[str, ...], overconfident: float) -> None:
    """Also where the model is far too sure of itself: the reference has told so."""
    labels, said = answers(4_000, classes, seed=1, overconfident=overconfident)
    told, window = answers(4_000, classes, seed=2, overconfident=overconfident)
    known = Reference(labels, said)
    estimated = estimate(window, classes, positive(classes), known, seed=0, resamples=20)
    scored = evaluate(told, window, classes, positive(classes), seed=0, resamples=1).scores
    for name in ESTIMATED:
        near = 0.06 if name == "log_loss" else 0.025
        assert estimated[name].value == pytest.approx(scored[name].value, abs=near), name


def test_intervals_hold_what_the_truth_shows_as_often_as_they_say() -> None:
    held = 0
    for seed in range(40):
        labels, said = answers(1_000, seed=1_000 + seed)
        told, window = answers(200, seed=seed)
        found = estimate(window, TWO, ("yes",), Reference(labels, said), seed=seed, resamples=200)
        truth = evaluate(told, window, TWO, ("yes",), seed=0, resamples=1).scores
        held += sum(
            found[name].low <= truth[name].value <= found[name].high for name in ("accuracy", "roc_auc")
        )
    assert held / 80 > 0.88  # of 95 %; of real rows: docs/quality.md


def test_a_changed_concept_is_not_seen_by_the_estimate_but_by_its_error() -> None:
    labels, said = answers(3_000, seed=3)
    told, window = answers(600, seed=4)
    turned = ["no" if label == "yes" else "yes" for label in told]
    found = estimate(window, TWO, ("yes",), Reference(labels, said), seed=0)["roc_auc"]
    promised = evaluate(labels, said, TWO, ("yes",), seed=0, resamples=1).scores["roc_auc"].value
    assert found.value == pytest.approx(promised, abs=0.03)
    estimated, off = estimate_error(turned, window, TWO, ("yes",), Reference(labels, said), seed=0)["roc_auc"]
    assert estimated == pytest.approx(found.value) and off.low > 0.5
    _, calm = estimate_error(told, window, TWO, ("yes",), Reference(labels, said), seed=0)["roc_auc"]
    assert calm.low <= 0 <= calm.high


def test_inputs_of_another_kind_are_seen() -> None:
    """Twice as many unsure rows: the estimate falls, without a label."""
    labels, said = answers(4_000, seed=5)
    told, window = answers(4_000, seed=6)
    unsure = np.flatnonzero(window.max(axis=1) < 0.75)
    found = estimate(window[unsure], TWO, ("yes",), Reference(labels, said), seed=0)["accuracy"]
    scored = evaluate([told[i] for i in unsure], window[unsure], TWO, ("yes",), seed=0, resamples=1)
    assert found.value == pytest.approx(scored.scores["accuracy"].value, abs=0.03)
    assert found.high < 0.7


def test_a_small_reference_or_a_small_window_is_said_to_know_less() -> None:
    def width(reference_rows: int, rows: int) -> float:
        labels, said = answers(reference_rows, seed=7)
        found = estimate(answers(rows, seed=8)[1], TWO, ("yes",), Reference(labels, said), seed=0)
        return found["accuracy"].high - found["accuracy"].low

    assert width(200, 2_000) > 1.3 * width(5_000, 2_000)
    assert width(5_000, 200) > 2 * width(5_000, 2_000)


def test_rows_of_one_person_are_one_draw() -> None:
    labels, said = answers(2_000, seed=9)
    window = np.repeat(answers(50, seed=10)[1], 8, axis=0)
    persons = np.repeat(np.arange(50), 8).astype(str).tolist()
    by_row = estimate(window, TWO, ("yes",), Reference(labels, said), seed=0)["accuracy"]
    by_person = estimate(window, TWO, ("yes",), Reference(labels, said), identities=persons, seed=0)[
        "accuracy"
    ]
    assert by_person.high - by_person.low > 2 * (by_row.high - by_row.low)


def test_the_expected_roc_auc_counts_every_pair_of_two_rows() -> None:
    """By hand: of each two rows, how likely the one ranked higher is the positive one; no row with itself."""
    labels, said = answers(2_000, seed=13)
    window = answers(12, seed=14)[1].round(1)  # some tie
    yes = ReferenceAnswers.of(labels, said, TWO).calibration().chances(window)[:, 1]
    won = pairs = 0.0
    for one in range(12):
        for other in range(12):
            chance = yes[one] * (1 - yes[other]) * (one != other)
            pairs += chance
            won += chance * (0.5 + 0.5 * np.sign(window[one, 1] - window[other, 1]))
    found = estimate(window, TWO, ("yes",), Reference(labels, said), seed=0, resamples=20)["roc_auc"].value
    assert found == pytest.approx(won / pairs)


def test_no_rows_and_no_reference_are_refused() -> None:
    labels, said = answers(10, seed=11)
    with pytest.raises(ValueError, match="no rows to estimate"):
        estimate(np.zeros((0, 2)), TWO, ("yes",), Reference(labels, said), seed=0)
    with pytest.raises(ValueError, match="no reference rows"):
        estimate(said, TWO, ("yes",), Reference([], np.zeros((0, 2))), seed=0)


def test_a_calibration_never_falls_and_adds_up() -> None:
    labels, said = answers(3_000, FOUR, seed=12, overconfident=2.0)
    calibration = ReferenceAnswers.of(labels, said, FOUR).calibration()
    assert all((np.diff(curve.true) >= 0).all() for curve in calibration.curves)
    chances = calibration.chances(said)
    assert chances.sum(axis=1) == pytest.approx(np.ones(3_000))
    sure = said.max(axis=1) > 0.95
    right = np.array([FOUR[place] for place in said.argmax(axis=1)]) == np.array(labels)
    assert chances.max(axis=1)[sure].mean() == pytest.approx(right[sure].mean(), abs=0.03)
    assert said.max(axis=1)[sure].mean() - right[sure].mean() > 0.05  # it was too sure of itself


def test_a_row_to_which_no_class_is_left_keeps_what_the_model_says() -> None:
    said = np.array([[0.9, 0.1]] * 60 + [[0.1, 0.9]] * 60)
    calibration = ReferenceAnswers.of(["other"] * 120, said, TWO).calibration()
    assert calibration.chances(said) == pytest.approx(said)


def test_class_scores_are_those_of_the_confusion_matrix() -> None:
    labels = ["yes"] * 6 + ["no"] * 4
    said = np.array([[0.2, 0.8]] * 5 + [[0.7, 0.3]] * 4 + [[0.4, 0.6]])
    found = class_scores(labels, np.column_stack([said, np.zeros(10)]), (*TWO, "never"), seed=0)
    yes = found["yes"]
    assert (yes.precision.value, yes.recall.value, yes.rows) == (
        pytest.approx(5 / 6),
        pytest.approx(5 / 6),
        6,
    )
    assert yes.f1.low <= yes.f1.value <= yes.f1.high
    assert np.isnan(found["never"].recall.value) and found["never"].rows == 0


def test_confidence_is_set_against_what_it_was_worth() -> None:
    said = np.tile([0.1, 0.9], (10, 1))
    (found,) = confidence_bins(["yes"] * 6 + ["no"] * 4, said, TWO)
    assert (found.confidence, found.right, found.rows) == (pytest.approx(0.9), 0.6, 10)


def test_the_sentence_on_the_estimate_follows_its_error() -> None:
    assert estimate_sentence(-0.1, 0.1, is_loss=False) == HOLDS
    assert (
        estimate_sentence(0.1, 0.2, is_loss=False) == OFF_HIGH == estimate_sentence(-0.2, -0.1, is_loss=True)
    )
    assert estimate_sentence(-0.2, -0.1, is_loss=False) == OFF_LOW
