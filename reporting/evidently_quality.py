"""The labelled rows of both sides as Evidently's classification metrics can take them.

With probabilities Evidently 0.7.23 raises where a class does not occur among the true labels; without them
where a label of the current side never occurs in the reference, or where just one of two labels does. So it
is handed what it can take.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from evidently import BinaryClassification, DataDefinition, Dataset, MulticlassClassification
from evidently.core.report import Report, Snapshot
from evidently.metrics import RocAuc
from evidently.presets import ClassificationQuality, ClassificationQualityByLabel

from reporting.evidently_metrics import BalancedAccuracy
from use_cases.contract import Contract

if TYPE_CHECKING:
    from reporting.evidently_report import Sides
    from reporting.windows import Answered

LEAST_LABELLED = 2
"""Labelled rows: with one row Evidently's classification metrics raise."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Rows whose prediction and true label are both known, both among the contract's classes."""

    labels: np.ndarray
    """object (rows,)."""
    predictions: np.ndarray
    probabilities: np.ndarray
    """float64 (rows, classes)."""
    unknown: frozenset[str]
    """True labels that are no class of the contract; their rows are left out."""

    @classmethod
    def of(cls, answered: Answered, classes: Collection[str]) -> Labelled:
        has_label = np.array([label is not None for label in answered.labels], dtype=bool)
        known = np.array([label in classes for label in answered.labels], dtype=bool)
        known &= np.array([label in classes for label in answered.predictions], dtype=bool)
        known &= np.isfinite(answered.probabilities).all(axis=1)
        seen = {str(label) for label in answered.labels[has_label]}
        return cls(
            answered.labels[known],
            answered.predictions[known],
            answered.probabilities[known],
            frozenset(seen - set(classes)),
        )

    @property
    def occurring(self) -> set[str]:
        """Classes among the true labels."""
        return set(self.labels)

    @property
    def named(self) -> set[str]:
        """Classes among the true labels or the predictions."""
        return {*self.labels, *self.predictions}


def quality_run(sides: Sides) -> tuple[Snapshot | None, list[str]]:
    """Evidently's classification metrics and balanced accuracy of the labelled rows, and sentences on what
    is left out and why. None: there is no labelled row."""
    contract = sides.contract
    reference = Labelled.of(sides.reference.answered, contract.classes)
    current = Labelled.of(sides.current.answered, contract.classes)
    notes = [
        f"The {side} has labels that are no class of the contract; those rows are left out: "
        f"{', '.join(sorted(labelled.unknown))}."
        for side, labelled in (("reference", reference), ("current window", current))
        if labelled.unknown
    ]
    if not len(current.labels):
        return None, [*notes, "The current window has no labelled row yet: its quality is not known."]
    everything = set(contract.classes)
    has_all = current.occurring == everything
    if not has_all:
        absent = ", ".join(sorted(everything - current.occurring))
        notes.append(
            f"The current window has no labelled row of {absent}: ROC AUC and the curves that need every "
            "class are left out."
        )
    beside = _comparable(reference, current, has_all, everything)
    if not beside:
        notes.append(_why_alone(reference))
    one = _dataset(current, contract, has_all)
    other = _dataset(reference, contract, has_all) if beside else None
    metrics = [BalancedAccuracy()]
    if len(current.labels) >= LEAST_LABELLED:
        metrics += [ClassificationQuality(conf_matrix=True, pr_curve=has_all), ClassificationQualityByLabel()]
        metrics += [RocAuc(roc_curve=True)] if has_all else []
    else:
        notes.append("The current window has one labelled row: too few for the other scores.")
    return Report(metrics, include_tests=other is not None).run(one, other), notes


def _comparable(reference: Labelled, current: Labelled, has_all: bool, everything: set[str]) -> bool:
    if len(reference.labels) < LEAST_LABELLED:
        return False
    if has_all:
        return reference.occurring == everything
    return reference.named >= current.named and (len(reference.named) == 2) == (len(current.named) == 2)


def _why_alone(reference: Labelled) -> str:
    if not len(reference.labels):
        return "The reference has no labelled rows: the scores stand without a comparison."
    return "Other classes occur in the reference: Evidently cannot set its scores beside the current ones."


def _dataset(labelled: Labelled, contract: Contract, with_probabilities: bool) -> Dataset:
    # Probability columns must bear the classes' names, one of which may be 'prediction'.
    target, prediction = _free("target", contract.classes), _free("prediction", contract.classes)
    frame = pd.DataFrame({target: labelled.labels, prediction: labelled.predictions}, dtype=object)
    if with_probabilities:
        for place, name in enumerate(contract.classes):
            frame[name] = labelled.probabilities[:, place]
    named = {"target": target, "prediction_labels": prediction}
    classes = contract.classes if with_probabilities else sorted(labelled.named)
    if len(classes) == 2:
        positive = next((name for name in contract.positive if name in classes), classes[-1])
        probas = positive if with_probabilities else None
        task = BinaryClassification(prediction_probas=probas, pos_label=positive, **named)
    else:
        several = list(classes) if with_probabilities else None
        task = MulticlassClassification(prediction_probas=several, **named)
    definition = DataDefinition(
        classification=[task],
        categorical_columns=[target, prediction],
        numerical_columns=list(contract.classes) if with_probabilities else [],
    )
    return Dataset.from_pandas(frame, data_definition=definition)


def _free(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += "_"
    return name
