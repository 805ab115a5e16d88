"""Metrics that Evidently lacks, as its own custom metrics: its pages and panels show them like the others.

Their class names are the names in a workspace that was written earlier: renaming one empties its panel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset
from evidently.core.metric_types import SingleValue, SingleValueCalculation, SingleValueMetric
from evidently.core.report import Context, Report, Snapshot


class Number(SingleValueMetric):  # type: ignore[misc]
    """A number that was computed before Evidently came to it, such as `drift_share`."""

    name: str


class _NumberCalculation(SingleValueCalculation[Number]):  # type: ignore[misc]
    def calculate(self, context: Context, current_data: Dataset, reference_data: Dataset | None) -> Any:
        current = self.result(_the_one(current_data, self.metric.name))
        if reference_data is None or self.metric.name not in reference_data.as_dataframe():
            return current
        return current, self.result(_the_one(reference_data, self.metric.name))

    def display_name(self) -> str:
        return str(self.metric.name).replace("_", " ")


class BalancedAccuracy(SingleValueMetric):  # type: ignore[misc]
    """Mean recall over the classes that occur among the true labels."""


class _BalancedAccuracyCalculation(SingleValueCalculation[BalancedAccuracy]):  # type: ignore[misc]
    def calculate(self, context: Context, current_data: Dataset, reference_data: Dataset | None) -> Any:
        task = context.data_definition.get_classification("default")
        current = self._of(current_data, task)
        return current if reference_data is None else (current, self._of(reference_data, task))

    def _of(self, data: Dataset, task: Any) -> SingleValue:
        frame = data.as_dataframe()
        return self.result(
            balanced_accuracy(frame[task.target].to_numpy(), frame[task.prediction_labels].to_numpy())
        )

    def display_name(self) -> str:
        return "Balanced accuracy"


def balanced_accuracy(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Mean recall of labels (rows,) over the classes among them; ValueError for no rows.

    >>> balanced_accuracy(np.array(["a", "a", "b"]), np.array(["a", "b", "b"]))
    0.75
    """
    if not len(labels):
        raise ValueError("there are no labelled rows")
    right = labels == predictions
    return float(np.mean([right[labels == name].mean() for name in np.unique(labels)]))


def numbers_run(current: Mapping[str, float], reference: Mapping[str, float]) -> Snapshot:
    """A snapshot that holds these finite numbers, those of the reference beside the current ones."""
    one, other = (
        Dataset.from_pandas(
            pd.DataFrame({name: [value] for name, value in numbers.items()}, index=[0]),
            data_definition=DataDefinition(numerical_columns=list(numbers)),
        )
        for numbers in (current, reference)
    )
    return Report([Number(name=name) for name in current]).run(one, other if reference else None)


def _the_one(data: Dataset, name: str) -> float:
    return float(data.as_dataframe()[name].iloc[0])
