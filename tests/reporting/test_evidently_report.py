"""Evidently shows what was measured, with the method of each column, and takes whatever the windows hold."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from loop.evaluation import evaluate
from tests.reporting.sides import contract, drift_of, rows, sides, snapshot, window
from use_cases.contract import Column

if TYPE_CHECKING:
    from evidently.core.report import Snapshot

    from reporting.evidently_report import Sides

pytestmark = [
    pytest.mark.slow,  # Evidently takes seconds to import
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

SEVEN = tuple("ABCDEFG")


def test_a_column_shows_the_drift_that_was_measured_on_all_rows_not_that_of_the_sample() -> None:
    both = sides(rows(300), total_rows=90_000, sample_seed=7)
    drift = drift_of(both)
    columns = tuple(
        replace(one, distance=0.625, is_drifted=True, threshold=0.25) if one.name == "age" else one
        for one in drift.columns
    )
    shown = snapshot(both, drift=replace(drift, columns=columns))
    assert value(shown, "ValueDrift", column="age") == 0.625
    assert text(shown).count("90,000 rows (Evidently shows a sample of 300, seed 7)") == 1
    (test,) = [test for test in shown.dict()["tests"] if "for column age" in test["name"]]
    assert test["status"].value == "FAIL"
    assert "Jensen-Shannon distance, base 2, of all rows. The drift threshold is 0.25" in test["description"]


def test_every_column_names_its_method_and_threshold() -> None:
    shown = [m["config"] for m in snapshot(sides(rows(200))).dict()["metrics"] if is_a(m, "ValueDrift")]
    assert [one["column"] for one in shown] == [
        "age",
        "is_insured",
        "town",
        "PCA_1",
        "PCA_2",
        "prediction",
        "visit",
    ]
    assert {one["method"] for one in shown} == {"rebento_jensenshannon"}
    assert all(one["threshold"] > 0 for one in shown)


@pytest.mark.parametrize("classes", [("no", "yes"), SEVEN])
def test_the_scores_are_those_that_the_judge_computes(classes: tuple[str, ...]) -> None:
    both = sides(rows(400), contract(classes))
    shown, answered = snapshot(both), both.current.answered
    scores = evaluate(
        answered.labels.tolist(), answered.probabilities, classes, both.contract.positive, seed=0, resamples=1
    ).values()
    for metric, score in {
        "BalancedAccuracy": "balanced_accuracy",
        "Accuracy": "accuracy",
        "F1Score": "f1",
        "Precision": "precision",
        "Recall": "recall",
        "RocAuc": "roc_auc",
    }.items():
        assert value(shown, metric) == pytest.approx(scores[score]), metric
    assert set(value(shown, "F1ByLabel")) == set(classes)


def test_numbers_for_panels_are_kept_and_unknown_ones_left_out() -> None:
    shown = snapshot(sides(rows(200)), drift_share=0.4)
    assert value(shown, "Number", name="quality_estimated") == 0.81
    assert value(shown, "Number", name="drift_threshold") == 0.4
    assert value(shown, "Number", name="labelled_share") == 0.27
    names = {m["config"]["name"] for m in shown.dict()["metrics"] if is_a(m, "Number")}
    assert {"f1", "f1_low"} <= names
    assert not {"f1_high", "precision"} & names


def changed(change: Callable[[pd.DataFrame], Any], count: int = 120) -> Sides:
    frame = rows(count)
    change(frame)
    return sides(frame)


def of_one_answer(classes: tuple[str, ...]) -> Sides:
    both = sides(rows(60), contract(classes), labels=[classes[0]] * 60)
    both.current.answered.predictions[:] = classes[0]
    return both


def without_reference_rows() -> Sides:
    from reporting.evidently_report import Sides

    told = contract()
    empty = window("reference", told, rows(0))
    return Sides(empty, window("last rows", told, rows(50), bins=empty.profile.bins), told)


def with_reference_labels(label: str | None, classes: tuple[str, ...] = ("no", "yes")) -> Sides:
    both = sides(rows(80), contract(classes))
    both.reference.answered.labels[:] = label
    return both


def odd_names() -> Sides:
    names = ["prediction", "PCA_1", "target", 'a.b "c" <b>é\n{x} %s', "index", "visit (target)"]
    columns = [Column(name=name, kind="category", nullable=True, categories={"Nice": 1.0}) for name in names]
    frame = rows(150)
    for name in names:
        frame[name] = frame["town"]
    return sides(frame, contract(more=columns))


BAD: dict[str, tuple[Callable[[], Sides], str]] = {
    "no rows": (lambda: sides(rows(0)), "The current window has no rows"),
    "no reference rows": (without_reference_rows, "The reference has no rows"),
    "no reference labels": (lambda: with_reference_labels(None), "The reference has no labelled rows"),
    "one class in the reference": (
        lambda: with_reference_labels("no"),
        "Other classes occur in the reference",
    ),
    "one of seven in the reference": (lambda: with_reference_labels("A", SEVEN), "Other classes occur"),
    "one row": (lambda: sides(rows(1)), "one labelled row"),
    "two rows": (lambda: sides(rows(2)), ""),
    "labels for none": (lambda: sides(rows(90), labels=[None] * 90), "no labelled row yet"),
    "labels for one": (lambda: sides(rows(90), labels=["yes"] + [None] * 89), "one labelled row"),
    "one class": (lambda: sides(rows(90), labels=["yes"] * 90), "no labelled row of no"),
    "a class never seen": (
        lambda: sides(rows(90), labels=["yes", "no", "maybe"] * 30),
        "no class of the contract",
    ),
    "three of seven": (
        lambda: sides(rows(90), contract(SEVEN), labels=list("ABC") * 30),
        "no labelled row of D, E",
    ),
    "one of seven": (lambda: sides(rows(90), contract(SEVEN), labels=["D"] * 90), "ROC AUC"),
    "one answer of two": (lambda: of_one_answer(("no", "yes")), "Other classes occur in the reference"),
    "one answer of three": (lambda: of_one_answer(("a", "b", "c")), "no labelled row of b, c"),
    "all missing": (
        lambda: changed(lambda frame: frame.__setitem__("age", np.nan)),
        "'age' has no value on one side",
    ),
    "no town": (lambda: changed(lambda frame: frame.__setitem__("town", None)), ""),
    "constant": (lambda: changed(lambda frame: frame.__setitem__("age", 3.0)), ""),
    "infinite": (lambda: changed(lambda frame: frame.__setitem__("age", [math.inf, 1.0] * 60)), ""),
    "mixed types": (lambda: changed(lambda frame: frame.__setitem__("town", ["a", 3, 4.5, None] * 30)), ""),
    "many towns": (
        lambda: changed(lambda frame: frame.__setitem__("town", [f"t{n}" for n in range(120)])),
        "",
    ),
    "classes named like columns": (lambda: sides(rows(90), contract(("prediction", "target"))), ""),
    "three named like columns": (lambda: sides(rows(90), contract(("prediction", "target", "target_"))), ""),
    "numbers as classes": (lambda: sides(rows(90), contract(("0", "1", "2"))), ""),
    "odd column names": (odd_names, ""),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gives_a_report_of_what_can_be_said(name: str) -> None:
    from reporting.evidently_report import as_json, html_page

    make, sentence = BAD[name]
    shown = snapshot(make(), sentence="NO_ACTION drift_share=0.00 < 0.30 (target_drift=0.0)")
    assert sentence in text(shown)
    assert r"NO\_ACTION drift\_share=0.00" in text(shown)
    json.loads(json.dumps(json.loads(shown.dumps()), allow_nan=False))
    assert len(html_page(shown, "one")) > 1_000_000
    assert json.loads(json.dumps(as_json(shown), allow_nan=False))["metrics"]


def test_a_page_says_near_its_beginning_to_which_report_it_belongs() -> None:
    from reporting.evidently_report import html_page

    page = html_page(snapshot(sides(rows(0))), "20261121-100000-abcdef12")
    assert b'<meta name="rebento-report" content="20261121-100000-abcdef12">' in page[:2_000]


def is_a(metric: dict[str, Any], name: str) -> bool:
    return bool(metric["config"]["type"].endswith(f":{name}"))


def value(shown: Snapshot, metric: str, **config: str) -> Any:
    (found,) = [
        one["value"]
        for one in shown.dict()["metrics"]
        if is_a(one, metric) and config.items() <= one["config"].items()
    ]
    return found


def text(shown: Snapshot) -> str:
    widgets = shown.to_snapshot_model().widgets
    return "\n".join(widget.params["text"] for widget in widgets if widget.type == "text")
