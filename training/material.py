"""What the challengers of one run are made from: rows, their two parts, and which are newer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from training.ages import Ages
from training.preparation import PreparedRows, prepare
from use_cases.use_case import UseCase


@dataclass(frozen=True, slots=True)
class Material:
    """The rows of one snapshot under one use case."""

    use_case: UseCase
    rows: pd.DataFrame
    """Of `training.gathering.Gathered`, or a snapshot read again."""
    instant_ms: int | None
    prepared: PreparedRows
    ages: Ages
    identities: np.ndarray
    """object (rows,): whose each row is; None where it breaks the contract."""
    is_holdout: np.ndarray
    """bool (rows,)."""

    @property
    def keeps_contract(self) -> np.ndarray:
        """bool (rows,): the rows of either part."""
        kept = self.is_holdout.copy()
        kept[self.prepared.training_places] = True
        return kept

    @classmethod
    def of(cls, use_case: UseCase, rows: pd.DataFrame, instant_ms: int | None) -> Material:
        """Raises what `prepare` raises."""
        prepared = prepare(use_case, rows)
        whose = np.full(len(rows), None, dtype=object)
        whose[prepared.training_places] = prepared.training.identities
        whose[prepared.holdout_places] = prepared.holdout.identities
        is_holdout = np.zeros(len(rows), dtype=bool)
        is_holdout[prepared.holdout_places] = True
        return cls(use_case, rows, instant_ms, prepared, Ages.of(use_case.time, rows), whose, is_holdout)
