"""A seeded sample of a stream whose length nobody knows: the items with the smallest random keys."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

Columns = tuple[np.ndarray, ...]
"""Arrays (items, …) side by side."""


@dataclass
class Sample:
    """At most `most` items of a stream, each as likely as any other, in their order.

    With equal keys a larger sample of a stream contains a smaller one.
    """

    most: int
    _parts: list[Columns] = field(default_factory=list)
    _keys: list[np.ndarray] = field(default_factory=list)
    _bound: float = 1.0
    """Items with a key as large are out for good."""

    def add(self, part: Columns, keys: np.ndarray) -> None:
        """More items, with a key each, drawn from [0, 1)."""
        inside = keys < self._bound
        self._parts.append(part if inside.all() else tuple(column[inside] for column in part))
        self._keys.append(keys[inside])
        if sum(map(len, self._keys)) > 2 * self.most:
            self._shrink()

    def items(self) -> Columns:
        """The sample. At least one part must have been added; an empty one will do."""
        self._shrink()
        return self._parts[0]

    def _shrink(self) -> None:
        keys = np.concatenate(self._keys)
        part = tuple(np.concatenate(columns) for columns in zip(*self._parts, strict=True))
        if len(keys) > self.most:
            self._bound = float(np.partition(keys, self.most)[self.most])
            inside = keys < self._bound
            keys, part = keys[inside], tuple(column[inside] for column in part)
        self._parts, self._keys = [part], [keys]
