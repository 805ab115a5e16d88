"""Checked rows with their true labels and whose they are; the part of a use case that one step works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runner.rows import CheckedRows


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Rows that keep the contract."""

    rows: CheckedRows
    labels: np.ndarray
    """str (rows,)."""
    identities: np.ndarray
    """str (rows,): `use_cases.identity.identities`."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, places: Sequence[int] | np.ndarray) -> LabelledRows:
        """The rows at these places, in that order."""
        chosen = [int(place) for place in places]
        rows = self.rows
        return LabelledRows(
            rows=CheckedRows(
                rows=[rows.rows[i] for i in chosen],
                numbers=rows.numbers[chosen],
                categories=rows.categories[chosen],
                entity_ids=[rows.entity_ids[i] for i in chosen],
                event_times=[rows.event_times[i] for i in chosen],
                warnings=[rows.warnings[i] for i in chosen],
            ),
            labels=self.labels[chosen],
            identities=self.identities[chosen],
        )
