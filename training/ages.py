"""Which rows of a snapshot are newer than which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from training.gathering import KNOWN_AT_MS
from use_cases.use_case import KNOWN_AT

_UNDATED, _COUNTED, _DATED, _ANSWERED = range(4)

Moment = tuple[int, float]
"""What orders rows: undated, dated by a number (a year), dated by a day, come through the service."""


class Horizon(NamedTuple):
    """The newest rows of a snapshot. None: it has no dated reference rows, no production rows."""

    reference: Moment | None
    production_ms: float | None


@dataclass(frozen=True, slots=True)
class Ages:
    """When each row of a snapshot became known, as far as anybody can tell.

    Production rows: when label and prediction were both stored. Reference rows, all older than those: the
    day of their snapshot, else their time column, else nobody knows, and they are the oldest.
    """

    tiers: np.ndarray
    """int (rows,)."""
    moments: np.ndarray
    """float (rows,): milliseconds UTC, or the number in the time column, or 0 where nobody knows."""
    is_production: np.ndarray
    """bool (rows,)."""

    @classmethod
    def of(cls, time_column: str | None, rows: pd.DataFrame) -> Ages:
        """Of the rows of `training.gathering.Gathered` or of a snapshot read again."""
        size = len(rows)
        tiers, moments = np.full(size, _UNDATED), np.zeros(size)
        column = KNOWN_AT if KNOWN_AT in rows.columns else time_column
        if column is not None and column in rows.columns:
            values = rows[column]
            known = values.notna().to_numpy()
            if values.dtype.kind == "M":
                milliseconds = values.to_numpy("datetime64[ms]").astype("float64")
                moments, tiers = np.where(known, milliseconds, 0.0), np.where(known, _DATED, _UNDATED)
            elif values.dtype.kind in "iuf":
                moments = np.where(known, values.to_numpy("float64"), 0.0)
                tiers = np.where(known, _COUNTED, _UNDATED)
        is_production = np.zeros(size, dtype=bool)
        if KNOWN_AT_MS in rows.columns:
            known_at = rows[KNOWN_AT_MS].to_numpy("float64")
            is_production = ~np.isnan(known_at)
            moments = np.where(is_production, known_at, moments)
            tiers = np.where(is_production, _ANSWERED, tiers)
        return cls(tiers, moments, is_production)

    @property
    def is_dated(self) -> np.ndarray:
        """bool (rows,): whether anybody knows when the row became known."""
        return self.tiers > _UNDATED

    def newest(self, places: np.ndarray, most: int) -> np.ndarray:
        """At most so many of these places, the newest of them, in their order in the snapshot."""
        order = np.lexsort((places, self.moments[places], self.tiers[places]))
        return np.sort(places[order[max(0, len(order) - most) :]])

    def horizon(self) -> Horizon:
        """How far these rows reach."""
        answered, dated = self.is_production, self.is_dated & ~self.is_production
        reference = None
        if dated.any():
            tier = int(self.tiers[dated].max())
            reference = tier, float(self.moments[self.tiers == tier].max())
        return Horizon(reference, float(self.moments[answered].max()) if answered.any() else None)

    def beyond(self, horizon: Horizon) -> np.ndarray:
        """bool (rows,): the rows that became known after all those of another snapshot."""
        newer = self.is_production.copy()
        if horizon.production_ms is not None:
            newer &= self.moments > horizon.production_ms
        if horizon.reference is not None:
            tier, moment = horizon.reference
            later = (self.tiers > tier) | ((self.tiers == tier) & (self.moments > moment))
            newer |= later & ~self.is_production
        return newer

    def rows_since(self, places: np.ndarray) -> np.ndarray:
        """float (places,): for each of the places how many of them are newer; rows of one moment share it.

        Production rows of one moment keep their order.
        """
        own = np.where(self.is_production[places], places, -1)
        order = np.lexsort((own, self.moments[places], self.tiers[places]))[::-1]
        keys = np.column_stack([self.tiers[places], self.moments[places], own])[order]
        starts = np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)]
        groups = np.cumsum(starts) - 1
        first = np.flatnonzero(starts)
        sizes = np.diff(np.r_[first, len(order)])
        since = np.empty(len(places))
        since[order] = (first + (sizes - 1) / 2)[groups]
        return since
