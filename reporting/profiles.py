"""How often which value came: one pass over a window's rows, chunk by chunk, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from loop.bins import Bins
from loop.clusters import Clusters
from loop.drift import ColumnCounts, ColumnDrift, DriftNumbers, Group, compare_columns
from loop.triggers import LEAST_ROWS
from use_cases.contract import MISSING_CATEGORY, Column, Contract
from use_cases.derive import DAY
from use_cases.kinds import booleans, dates, numbers, texts
from use_cases.schema import Policy

PREDICTION = "prediction"
_FAMILIES: tuple[Group, ...] = ("input", "embedding", "prediction", "target")


@dataclass(frozen=True)
class ReferenceBins:
    """How each column of a use case is counted, as its reference decides it."""

    contract: Contract
    inputs: dict[str, Bins]
    dimensions: dict[str, Bins]
    prediction: Bins
    target: Bins

    @classmethod
    def of(
        cls,
        reference_rows: pd.DataFrame,
        contract: Contract,
        vectors: np.ndarray,
        dimensions: Sequence[str],
    ) -> ReferenceBins:
        """The bins that raw feature columns and float32 vectors (rows, dimensions) make.

        A few thousand rows are enough. Predictions and labels have a bin for each class of the contract,
        whatever these rows show.
        """
        inputs = {}
        for column in contract.columns:
            values = column_values(reference_rows, column)
            if column.kind == "category":
                inputs[column.name] = Bins.of_categories(values.tolist(), known=tuple(column.categories))
            else:
                inputs[column.name] = Bins.of_numbers(values)
        by_class = Bins("category", categories=contract.classes)
        return cls(
            contract=contract,
            inputs=inputs,
            dimensions={name: Bins.of_numbers(vectors[:, place]) for place, name in enumerate(dimensions)},
            prediction=by_class,
            target=by_class,
        )


class WindowProfile:
    """The counts of one window under the reference's bins. Chunks add up; no row is kept."""

    def __init__(self, bins: ReferenceBins) -> None:
        self.bins = bins
        self.rows = 0
        self.inputs = {name: _none_yet(one) for name, one in bins.inputs.items()}
        self.dimensions = {name: _none_yet(one) for name, one in bins.dimensions.items()}
        self.prediction = _none_yet(bins.prediction)
        self.target = _none_yet(bins.target)
        self._clusters = Clusters()

    def add(
        self,
        rows: pd.DataFrame,
        vectors: np.ndarray | None = None,
        predictions: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        identities: np.ndarray | None = None,
    ) -> None:
        """Counts the rows of one chunk: raw feature columns (absent: all missing) and what goes with them.

        Vectors (rows, dimensions) are counted where they are given; of predictions and labels, object (n,)
        of any length, those that are not None. Identities, object (rows,), tell whose rows are not
        independent of each other; None: each row is its own.
        """
        self.rows += len(rows)
        for column in self.bins.contract.columns:
            self.inputs[column.name] += self.bins.inputs[column.name].count(column_values(rows, column))
        if vectors is not None and len(vectors):
            for place, (name, one) in enumerate(self.bins.dimensions.items()):
                self.dimensions[name] += one.count(vectors[:, place])
        for counts, bins, values in (
            (self.prediction, self.bins.prediction, predictions),
            (self.target, self.bins.target, labels),
        ):
            if values is not None:
                counts += bins.count(values)
                counts[-1] = 0  # a prediction or a label that is not there is no value of its own
        self._clusters.add(len(rows), identities)

    @property
    def clustering(self) -> float:
        """Rows over independent rows, 1 and more."""
        return self._clusters.design_effect


def drift_numbers(
    reference: WindowProfile, current: WindowProfile, policy: Policy, *, seed: int = 0
) -> DriftNumbers:
    """How far the current window lies from the reference, in every column of the reference's bins.

    Inputs and dimensions are each judged together, prediction and target each alone; only inputs make the
    drift share. With fewer than 50 labels (predictions) on a side nothing is said of the target (the
    prediction). Windows of one use case under other bins must not be compared: ValueError.
    """
    if reference.bins is not current.bins:
        raise ValueError("the two windows were counted in different bins")
    columns: list[ColumnDrift] = []
    for family in _FAMILIES:
        smallest = policy.target_drift if family == "target" else policy.drift_distance
        columns += compare_columns(
            list(_counts(reference, current, family)),
            smallest=smallest,
            false_alarms=policy.drift_false_alarms,
            method=policy.drift_method,
            seed=seed,
        )
    inputs = [column for column in columns if column.group == "input"]
    by_group = {column.group: column.distance for column in columns}
    return DriftNumbers(
        columns=tuple(columns),
        drift_share=sum(column.is_drifted for column in inputs) / len(inputs) if inputs else 0.0,
        target_drift=by_group.get("target"),
        prediction_drift=by_group.get("prediction"),
    )


def column_values(rows: pd.DataFrame, column: Column) -> np.ndarray:
    """float64 (rows,) of a number, boolean (0, 1) or date (days since 1970-01-01), NaN where missing; of a
    category object (rows,) of text and None. An absent column is missing in every row."""
    if column.name not in rows.columns:
        return np.full(len(rows), None if column.kind == "category" else np.nan)
    values = rows[column.name]
    if column.kind == "category":
        is_text = pd.api.types.infer_dtype(values, skipna=True) in ("string", "empty")
        cells = np.array((values if is_text else texts(values)).to_numpy(dtype=object))
        cells[pd.isna(cells) | (cells == MISSING_CATEGORY)] = None
        return cells
    if values.dtype.kind in "iufb":
        return values.to_numpy(dtype=np.float64)
    if column.kind == "date":
        days: np.ndarray = ((dates(values) - pd.Timestamp(0)) / DAY).to_numpy(dtype=np.float64)
        return days
    read = booleans(values, more=True) if column.kind == "boolean" else numbers(values)
    return read.astype("float64").to_numpy()


def _counts(reference: WindowProfile, current: WindowProfile, family: Group) -> Iterator[ColumnCounts]:
    clustering = (reference.clustering, current.clustering)
    bins = reference.bins
    if family == "input":
        for name, one in bins.inputs.items():
            yield ColumnCounts(name, family, one, reference.inputs[name], current.inputs[name], clustering)
    elif family == "embedding":
        for name, one in bins.dimensions.items():
            before, now = reference.dimensions[name], current.dimensions[name]
            yield ColumnCounts(name, family, one, before, now, clustering)
    else:
        name, one, before, now = (
            (PREDICTION, bins.prediction, reference.prediction, current.prediction)
            if family == "prediction"
            else (bins.contract.target, bins.target, reference.target, current.target)
        )
        if min(before.sum(), now.sum()) >= LEAST_ROWS:
            yield ColumnCounts(name, family, one, before, now, clustering)


def _none_yet(bins: Bins) -> np.ndarray:
    return np.zeros(len(bins.names), dtype=np.int64)
