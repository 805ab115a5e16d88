"""The two sides of a comparison: all their rows counted, and at most a sample of them held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd

from loop.refusals import Problem
from reporting.chunks import Chunk, no_rows
from reporting.profiles import ReferenceBins, WindowProfile
from reporting.sampling import Columns, Sample
from runner.package import Package

SAMPLE_ROWS = 20_000
"""Rows of a window that Evidently is given; past this it works on a seeded sample."""
ANSWERED_ROWS = 50_000
"""Answers of a window that its quality is told by; past this a sample of which the above is a part."""


@dataclass(frozen=True)
class Answered:
    """Rows with predictions that may be compared, and their truth where it is known."""

    labels: np.ndarray
    """object (rows,): the true label's text, or None."""
    predictions: np.ndarray
    """object (rows,): label text."""
    probabilities: np.ndarray
    """float64 (rows, classes), in the contract's order."""
    identities: np.ndarray
    """object (rows,): whose each row is."""
    places: np.ndarray
    """int (rows,): index into Window.rows; -1 where the row is not in its sample."""
    total_rows: int
    """Before sampling."""
    total_labelled: int

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Window:
    """One side of a comparison."""

    name: str
    rows: pd.DataFrame
    """The contract's columns: numbers float64 (booleans 0 or 1, dates days since 1970), categories object
    with None where missing."""
    vectors: np.ndarray
    """float32 (rows, dimensions), by the champion's graph."""
    dimensions: tuple[str, ...]
    answered: Answered
    profile: WindowProfile
    """Counts over all rows of the window."""
    total_rows: int
    """Before sampling."""
    sample_seed: int | None
    """None: not sampled."""
    labelled_rows: int
    """Rows whose truth is known, whether or not their predictions may be compared; before sampling."""
    refused: int
    """Rows that are not among them, for they break the champion's contract."""
    problem: Problem | None
    """The first reason for that."""


def reference_window(
    name: str, package: Package, chunks: Iterable[Chunk], *, seed: int, sample_rows: int = SAMPLE_ROWS
) -> Window:
    """The side that the other is compared with; its rows give the bins in which both are counted.

    All chunks are held while this works: the rows of a source's date are in memory anyway.
    """
    held = list(chunks)
    sampled = Sample(sample_rows)
    generator = np.random.default_rng(seed)
    for chunk in [no_rows(package), *held]:
        sampled.add(_raw(chunk), generator.random(len(chunk.rows)))
    rows, vectors, _ = _opened(package, sampled.items())
    bins = ReferenceBins.of(rows, package.contract, vectors, package.info.dimensions)
    return current_window(name, package, held, bins, seed=seed, sample_rows=sample_rows)


def current_window(
    name: str,
    package: Package,
    chunks: Iterable[Chunk],
    bins: ReferenceBins,
    *,
    seed: int,
    sample_rows: int = SAMPLE_ROWS,
    answered_rows: int = ANSWERED_ROWS,
) -> Window:
    """The rows of chunks, counted in the reference's bins as they come, and sampled."""
    profile = WindowProfile(bins)
    sampled, answered = Sample(sample_rows), Sample(answered_rows)
    generator = np.random.default_rng(seed)
    totals = np.zeros(4, dtype=int)
    refused, problem = 0, None
    for chunk in chain([no_rows(package)], chunks):
        keys = generator.random(len(chunk.rows))
        places = np.arange(totals[0], totals[0] + len(chunk.rows))
        profile.add(chunk.rows, chunk.vectors, chunk.predictions, chunk.labels, chunk.identities)
        sampled.add((*_raw(chunk), places), keys)
        answer = (chunk.labels, chunk.predictions, chunk.probabilities, chunk.identities, places)
        comparable, known = _is_known(chunk.predictions), _is_known(chunk.labels)
        answered.add(tuple(column[comparable] for column in answer), keys[comparable])
        totals += (len(keys), known.sum(), comparable.sum(), (comparable & known).sum())
        refused, problem = refused + chunk.refused, problem or chunk.problem
    rows, vectors, (kept,) = _opened(package, sampled.items())
    labels, predictions, probabilities, identities, places = answered.items()
    return Window(
        name=name,
        rows=rows,
        vectors=vectors,
        dimensions=tuple(package.info.dimensions),
        answered=Answered(
            labels=labels,
            predictions=predictions,
            probabilities=probabilities,
            identities=identities,
            places=_places_in(kept, places),
            total_rows=int(totals[2]),
            total_labelled=int(totals[3]),
        ),
        profile=profile,
        total_rows=int(totals[0]),
        sample_seed=seed if totals[0] > len(rows) else None,
        labelled_rows=int(totals[1]),
        refused=refused,
        problem=problem,
    )


def _raw(chunk: Chunk) -> Columns:
    return (chunk.vectors, *(chunk.rows[name].to_numpy() for name in chunk.rows))


def _opened(package: Package, columns: Columns) -> tuple[pd.DataFrame, np.ndarray, Columns]:
    """Rows, vectors and what else was sampled beside `_raw`."""
    names = [column.name for column in package.contract.columns]
    vectors, rest = columns[0], columns[1 + len(names) :]
    rows = dict(zip(names, columns[1:], strict=False))
    return pd.DataFrame(rows, index=pd.RangeIndex(len(vectors)), columns=names), vectors, rest


def _is_known(values: np.ndarray) -> np.ndarray:
    return np.array([value is not None for value in values], dtype=bool)


def _places_in(kept: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Where each of `places` is among `kept`, both ascending; -1 where it is not."""
    found = np.searchsorted(kept, places)
    is_there = found < len(kept)
    is_there[is_there] = kept[found[is_there]] == places[is_there]
    return np.where(is_there, found, -1)
