"""Two windows of rows that need no training, for the reports that are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loop.drift import DriftNumbers
from reporting.profiles import ReferenceBins, WindowProfile, drift_numbers
from reporting.windows import Answered, Window
from use_cases.contract import Column, Contract
from use_cases.schema import Policy

if TYPE_CHECKING:
    from evidently.core.report import Snapshot

    from reporting.evidently_report import Sides

DIMENSIONS = ("PCA_1", "PCA_2")
QUALITY = {
    "metric": "roc_auc",
    "reference": {"value": 0.8, "low": 0.78, "high": 0.82},
    "realised": {"value": 0.79, "low": 0.7, "high": 0.85, "rows": 300},
    "estimated": {"value": 0.81, "low": 0.8, "high": 0.82, "rows": 900},
    "coverage": 0.27,
    "scores": {"f1": {"value": 0.6, "low": 0.5, "high": None}, "precision": None},
    "classes": {
        "no": {"precision": {"value": 0.8, "low": 0.7, "high": 0.9}, "recall": None, "f1": None, "rows": 9}
    },
}


@dataclass(frozen=True)
class Told:
    """Quality as it is told in JSON."""

    numbers: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return self.numbers


def contract(classes: Sequence[str] = ("no", "yes"), more: Sequence[Column] = ()) -> Contract:
    return Contract(
        use_case="small",
        target="visit",
        classes=tuple(classes),
        positive=(classes[-1],) if len(classes) == 2 else (),
        columns=(
            Column(name="age", kind="number", nullable=True),
            Column(name="is_insured", kind="boolean", nullable=True),
            Column(name="town", kind="category", nullable=True, categories={"Lille": 0.5, "Nice": 0.5}),
            *more,
        ),
    )


def rows(count: int, seed: int = 0, shift: float = 0.0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    towns = generator.choice(np.array(["Lille", "Nice", None], dtype=object), size=count)
    return pd.DataFrame(
        {
            "age": generator.normal(40 + shift, 10, size=count),
            "is_insured": generator.integers(0, 2, size=count).astype(np.float64),
            "town": pd.Series(towns, dtype=object),
        }
    )


def window(
    name: str,
    told: Contract,
    frame: pd.DataFrame,
    *,
    labels: Sequence[str | None] | None = None,
    bins: ReferenceBins | None = None,
    seed: int = 0,
    sample_seed: int | None = None,
    total_rows: int | None = None,
) -> Window:
    """A side of these rows, each with a prediction; labels (rows,): by chance where none are given."""
    generator = np.random.default_rng(seed)
    count = len(frame)
    probabilities = generator.dirichlet(np.ones(len(told.classes)), size=count)
    names = np.array(told.classes, dtype=object)
    predictions = names[probabilities.argmax(axis=1)] if count else np.zeros(0, dtype=object)
    if labels is None:
        labels = generator.choice(names, size=count).tolist()
    truth = np.array(labels, dtype=object)
    vectors = generator.normal(size=(count, len(DIMENSIONS))).astype(np.float32)
    bins = bins or ReferenceBins.of(frame, told, vectors, DIMENSIONS)
    profile = WindowProfile(bins)
    profile.add(frame, vectors, predictions, truth)
    labelled = sum(label is not None for label in labels)
    return Window(
        name=name,
        rows=frame,
        vectors=vectors,
        dimensions=DIMENSIONS,
        answered=Answered(
            labels=truth,
            predictions=predictions,
            probabilities=probabilities,
            identities=np.arange(count).astype(str).astype(object),
            places=np.arange(count),
            total_rows=total_rows or count,
            total_labelled=labelled,
        ),
        profile=profile,
        total_rows=total_rows or count,
        sample_seed=sample_seed,
        labelled_rows=labelled,
        refused=0,
        problem=None,
    )


def sides(current: pd.DataFrame, told: Contract | None = None, **more: Any) -> Sides:
    """A reference of 400 rows with all labels, and these current rows in its bins."""
    from reporting.evidently_report import Sides  # seconds: not while tests are collected

    told = told or contract()
    reference = window("reference", told, _with_more(rows(400), told), seed=1)
    return Sides(
        reference, window("last rows", told, current, bins=reference.profile.bins, seed=2, **more), told
    )


def snapshot(both: Sides, **more: Any) -> Snapshot:
    """The report of both sides. `more` goes to `evidently_run`."""
    from reporting.evidently_report import evidently_run

    given: dict[str, Any] = {"title": "reference and last rows", "quality": Told(QUALITY), **more}
    given.setdefault("drift", drift_of(both))
    return evidently_run(both, **given)


def drift_of(both: Sides) -> DriftNumbers:
    return drift_numbers(both.reference.profile, both.current.profile, Policy())


def _with_more(frame: pd.DataFrame, told: Contract) -> pd.DataFrame:
    for column in told.columns:
        if column.name not in frame:
            frame[column.name] = frame["town"] if column.kind == "category" else frame["age"]
    return frame
