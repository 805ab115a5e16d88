"""How a column is counted: in bins that the reference decides once, so that counts of chunks add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

NUMBER_BINS = 10
"""Tenths of the reference. More bins see finer changes, and need more rows to see any."""

MOST_CATEGORIES = 20
RAREST_SHARE = 0.01
"""A category with a smaller share of the reference is counted with the other rare ones."""


@dataclass(frozen=True)
class Bins:
    """The bins of one column. The last one counts missing values.

    A number's bins end at `edges` (the edge belongs to the bin below it): one below all the reference,
    about ten within it, one above. A category's are one for each of `categories`, one for the rare ones, one
    for those the reference never had.
    """

    kind: Literal["number", "category"]
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    rare: frozenset[str] = frozenset()

    @classmethod
    def of_numbers(cls, reference: np.ndarray) -> Bins:
        """Bins of about equal counts for float (rows,); NaN is missing. Nothing known: all in one bin.

        Few different values get a bin each, and so does a value that alone fills a tenth and more.

        >>> Bins.of_numbers(np.array([0.0, 0.0, 1.0, 1.0])).count(np.array([0, 1, 1, 7, np.nan])).tolist()
        [0, 1, 2, 1, 1]
        """
        known = np.sort(np.asarray(reference, dtype=np.float64))
        known = known[np.isfinite(known)]
        if not len(known):
            return cls("number")
        values = np.unique(known)
        if len(values) <= NUMBER_BINS:
            edges = np.r_[_just_below(values[0]), values[:-1] / 2 + values[1:] / 2, values[-1]]
        else:
            # Real values, not interpolated ones: a tie lies wholly on one side of an edge.
            inner = known[(np.arange(1, NUMBER_BINS) * len(known)) // NUMBER_BINS]
            tied = inner[1:][inner[1:] == inner[:-1]]
            edges = np.unique(np.r_[_just_below(values[0]), inner, _just_below(tied), values[-1]])
        return cls("number", edges=tuple(float(edge) for edge in np.unique(edges)))

    @classmethod
    def of_categories(
        cls, reference: Iterable[str | None], *, known: Sequence[str] = (), rarest: float = RAREST_SHARE
    ) -> Bins:
        """Bins of the 20 most frequent texts with a share of `rarest` and more; None is missing.

        `known` are categories that may be absent from these rows and yet are not new.
        """
        counts = Counter(value for value in reference if isinstance(value, str))
        total = sum(counts.values())
        ordered = sorted(counts, key=lambda name: (-counts[name], name))
        kept = tuple(name for name in ordered[:MOST_CATEGORIES] if counts[name] >= rarest * total)
        return cls("category", categories=kept, rare=frozenset((*counts, *known)) - frozenset(kept))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What each bin holds, in words; in the order of `count`."""
        if self.kind == "category":
            return (*(repr(name) for name in self.categories), "rare categories", "new categories", "missing")
        if not self.edges:
            return ("any value", "missing")
        inner = (_span(low, high) for low, high in zip(self.edges[:-1], self.edges[1:], strict=True))
        return (f"below {_next(self.edges[0]):.4g}", *inner, f"above {self.edges[-1]:.4g}", "missing")

    def count(self, values: np.ndarray) -> np.ndarray:
        """int64 (bins,): how many of these values (rows,) lie in each; of texts, None is missing."""
        if self.kind == "number":
            numbers = np.asarray(values, dtype=np.float64)
            places = np.searchsorted(self.edges, numbers, side="left")
            places[np.isnan(numbers)] = len(self.edges) + 1
            return np.bincount(places, minlength=len(self.edges) + 2).astype(np.int64)
        found = np.zeros(len(self.categories) + 3, dtype=np.int64)
        for value, count in Counter(np.asarray(values, dtype=object).tolist()).items():
            found[self._places.get(value, -2) if isinstance(value, str) else -1] += count
        return found

    @cached_property
    def _places(self) -> dict[str, int]:
        places = {name: place for place, name in enumerate(self.categories)}
        return places | dict.fromkeys(self.rare, len(self.categories))


def _just_below(value: np.ndarray) -> np.ndarray:
    below: np.ndarray = np.nextafter(value, -np.inf)
    return below


def _next(edge: float) -> float:
    return float(np.nextafter(edge, np.inf))


def _span(low: float, high: float) -> str:
    if _next(low) == high:
        return f"equal to {high:.4g}"
    return f"{_next(low):.4g} to {high:.4g}"
