"""A million rows of 30 columns in one pass: how long it takes to count them, and what memory it keeps."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reporting.profiles import ReferenceBins, WindowProfile, drift_numbers
from use_cases.contract import Column, Contract
from use_cases.schema import Policy

NUMBERS, CATEGORIES, DIMENSIONS = 22, 8, 20
CHUNK_ROWS = 50_000
_CLASSES = ("no", "yes")


@dataclass(frozen=True)
class Counted:
    """What the pass took."""

    rows: int
    counting_seconds: float
    """Only the counting; making the rows is left out."""
    comparing_seconds: float
    more_mib: float
    """Peak memory of the whole pass above that before it, the chunk in hand included."""


def million(rows: int = 1_000_000) -> Counted:
    """Made-up rows, each of a person of its own, chunk by chunk through the production functions."""
    generator = np.random.default_rng(0)
    first = _rows(5_000, generator)
    contract = Contract(
        use_case="million",
        target="answer",
        classes=_CLASSES,
        columns=tuple(
            Column(name=name, kind="category" if first[name].dtype == object else "number", nullable=True)
            for name in first
        ),
    )
    vectors = _vectors(len(first), generator)
    names = tuple(f"PCA_{place + 1}" for place in range(DIMENSIONS))
    bins = ReferenceBins.of(first, contract, vectors, names)
    reference, current = WindowProfile(bins), WindowProfile(bins)
    reference.add(first, vectors, *_answers(len(first), generator))
    before, counting = _peak_mib(), 0.0
    for start in range(0, rows, CHUNK_ROWS):
        chunk, more = _rows(CHUNK_ROWS, generator), _vectors(CHUNK_ROWS, generator)
        answers = _answers(CHUNK_ROWS, generator)
        persons = np.array([f"person {place}" for place in range(start, start + CHUNK_ROWS)], dtype=object)
        began = time.perf_counter()
        current.add(chunk, more, *answers, persons)
        counting += time.perf_counter() - began
    more_mib = _peak_mib() - before
    began = time.perf_counter()
    drift_numbers(reference, current, Policy())
    return Counted(current.rows, counting, time.perf_counter() - began, more_mib)


def _rows(rows: int, generator: np.random.Generator) -> pd.DataFrame:
    words = np.array([f"category {place}" for place in range(12)], dtype=object)
    columns: dict[str, np.ndarray] = {f"n{i}": generator.normal(size=rows) for i in range(NUMBERS)}
    columns |= {f"c{i}": generator.choice(words, rows) for i in range(CATEGORIES)}
    return pd.DataFrame(columns)


def _vectors(rows: int, generator: np.random.Generator) -> np.ndarray:
    return generator.normal(size=(rows, DIMENSIONS)).astype(np.float32)


def _answers(rows: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    classes = np.array(_CLASSES, dtype=object)
    return classes[generator.integers(0, 2, rows)], classes[generator.integers(0, 2, rows)]


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
