"""How much less a window says because several of its rows are of one person."""

from __future__ import annotations

from collections import Counter
from zlib import crc32

import numpy as np

MOST_IDENTITIES = 100_000
"""Counted at a time; of more, a half (a quarter, …) that their hashes choose stands for all."""


class Clusters:
    """Rows by identity, chunk by chunk, in bounded memory.

    >>> rows = Clusters()
    >>> rows.add(4, np.array(["a", "a", "b", "b"], dtype=object))
    >>> rows.design_effect
    2.0
    """

    def __init__(self, most: int = MOST_IDENTITIES) -> None:
        self._most = most
        self._rows: Counter[str] = Counter()
        self._mask = 0
        self._alone = 0

    def add(self, rows: int, identities: np.ndarray | None = None) -> None:
        """Counts so many rows of these identities, object (rows,); None, also in it: rows of their own."""
        if identities is None:
            self._alone += rows
            return
        for identity, count in Counter(identities.tolist()).items():
            if identity is None:
                self._alone += count
            elif self._stands(str(identity)):
                self._rows[str(identity)] += count
        while len(self._rows) > self._most:
            self._mask = self._mask * 2 + 1
            self._rows = Counter({one: rows for one, rows in self._rows.items() if self._stands(one)})

    @property
    def design_effect(self) -> float:
        """Rows over independent rows, 1 and more, as if all rows of an identity were equal (Kish 1965).

        That is the most it can be for any column, and what it is for one that never changes in a person.
        """
        counts = np.fromiter(self._rows.values(), dtype=np.float64, count=len(self._rows))
        scale = self._mask + 1
        rows = counts.sum() * scale + self._alone
        squares = (counts**2).sum() * scale + self._alone
        return float(squares / rows) if rows else 1.0

    def _stands(self, identity: str) -> bool:
        """Whether it is among those that stand for all; one in `_mask` + 1 is."""
        return not (self._mask and crc32(identity.encode()) & self._mask)
