"""Columns that give the target away: evidence from a small tree that sees one column only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.tree import DecisionTreeClassifier

from use_cases.contract import Kind
from use_cases.kinds import dates, numbers

LEAK = 0.99
"""From this cross-validated score on a column alone is the target in other words."""

SUSPECT = 0.85
"""From this score on a person should say whether the column is known when the question is asked.

Measured on one column alone: the strongest of telco churn reaches .74; of the RAND Health Insurance
Experiment's after-the-fact columns mdvis 1.0, outpdol .95, meddol .91, lnmeddol .91, binexp .85.
"""

MOST_ROWS = 20_000
FOLDS = 3


@dataclass(frozen=True, slots=True)
class Evidence:
    """How well one column alone predicts the target."""

    column: str
    score: float
    """Mean over the folds of the ROC AUC (two classes) or the balanced accuracy (several), 0 to 1."""
    metric: str

    @property
    def is_leak(self) -> bool:
        return self.score >= LEAK

    def sentence(self) -> str:
        return f"alone it predicts the target with a cross-validated {self.metric} of {self.score:.3f}"


def telling_columns(
    columns: Mapping[str, tuple[pd.Series, Kind]], labels: pd.Series, seed: int = 0
) -> tuple[Evidence, ...]:
    """Columns whose score alone is at least SUSPECT, best first.

    At most MOST_ROWS rows, drawn with the seed, are looked at; without FOLDS rows of each of two classes
    there is no evidence and the answer is empty.
    """
    frequent = labels.map(labels.value_counts()) >= FOLDS
    rows = np.flatnonzero(frequent.to_numpy())
    if len(rows) > MOST_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_ROWS, replace=False))
    truth = labels.iloc[rows].to_numpy(dtype="str")
    classes, counts = np.unique(truth, return_counts=True)
    if len(classes) < 2 or counts.min() < FOLDS:
        return ()
    metric, scorer = (
        ("ROC AUC", "roc_auc") if len(classes) == 2 else ("balanced accuracy", "balanced_accuracy")
    )
    if scorer == "roc_auc":
        truth = truth == classes[1]
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    # Leaves of several rows: a column of all-distinct values must not learn its rows by heart.
    tree = DecisionTreeClassifier(min_samples_leaf=max(1, min(20, len(rows) // 100)), random_state=seed)
    found = []
    for name, (values, kind) in columns.items():
        encoded = _encoded(values, kind)[rows].reshape(-1, 1)
        score = float(np.mean(cross_val_score(tree, encoded, truth, cv=folds, scoring=scorer)))
        if score >= SUSPECT:
            found.append(Evidence(name, score, metric))
    return tuple(sorted(found, key=lambda one: (-one.score, one.column)))


def _encoded(values: pd.Series, kind: Kind) -> np.ndarray:
    """One number a row: amounts by rank, other values by rank of their text, missing as -1.

    A gap can be the leak (a date of cancellation is empty for those who stay), so it becomes a number
    outside the range of the others.
    """
    if kind in ("number", "date"):
        amounts = numbers(values) if kind == "number" else dates(values).rank(method="dense")
        codes = amounts.rank(method="dense").fillna(-1)
    else:
        codes = values.map(str, na_action="ignore").rank(method="dense").fillna(-1)
    return codes.to_numpy(dtype="float64")
