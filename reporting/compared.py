"""Both sides of what a report was asked to compare."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from loop.progress import Progress
from reporting.asked import Asked
from reporting.chunks import Chunk, dated_chunks, production_chunks, sample_chunks
from reporting.dated import dated_rows
from reporting.windows import Window, current_window, reference_window
from runner.package import Package
from storage.database import Database
from storage.windows import Span, rows_of_span, span_between, span_of_newest
from use_cases.use_case import UseCase

_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Compared:
    """Reference and current window under one champion."""

    reference: Window
    current: Window
    span: Span | None
    """The stretch of answers that is the current window; None: it is none, or nothing was ever answered."""
    notes: tuple[str, ...]
    """What of the rows could not take part, and why: sentences."""


def compared(
    asked: Asked,
    package: Package,
    use_case: UseCase,
    *,
    data: Path,
    database: Database,
    at_ms: int,
    progress: Progress,
) -> Compared:
    """The two windows, read and counted. `at_ms` is the now from which the last days count back.

    Raises NotAskable for a date that the source does not have, and what `load_rows` and the package raise.
    """
    seed = use_case.seed

    def dated(day: datetime.date, other: datetime.date | None) -> Iterator[Chunk]:
        frame: pd.DataFrame = dated_rows(use_case, data, day, other)
        progress.stage(f"counting the rows of {day}", len(frame))
        return dated_chunks(package, frame, progress.advance)

    progress.stage("reading the reference")
    if asked.reference is None:
        reference = reference_window(asked.reference_name, package, sample_chunks(package), seed=seed)
    else:
        rows = dated(asked.reference, asked.current)
        reference = reference_window(asked.reference_name, package, rows, seed=seed)
    bins = reference.profile.bins
    span = None
    if asked.current is not None:
        rows = dated(asked.current, asked.reference)
    else:
        with database.reading() as connection:
            if asked.last_rows is not None:
                span = span_of_newest(connection, use_case.name, asked.last_rows)
            else:
                span = span_between(use_case.name, *_bounds(asked, at_ms))
            total = 0 if span is None else rows_of_span(connection, span)
        progress.stage(f"counting the answers of the {asked.current_name}", total)
        rows = iter(()) if span is None else _answers(package, database, span, progress.advance)
    current = current_window(asked.current_name, package, rows, bins, seed=seed)
    return Compared(reference, current, span, tuple(_notes(asked, package, reference, current)))


def _answers(
    package: Package, database: Database, span: Span, advanced: Callable[[int], None]
) -> Iterator[Chunk]:
    return production_chunks(package, database, span, advanced)


def _bounds(asked: Asked, at_ms: int) -> tuple[int, int]:
    """First instant and the first one after, in milliseconds."""
    if asked.last_days is not None:
        return at_ms - int(asked.last_days * _DAY_MS), at_ms + 1
    assert asked.since is not None and asked.until is not None  # `Asked.parse` gives one of three windows
    return _midnight_ms(asked.since), _midnight_ms(asked.until) + _DAY_MS


def _midnight_ms(day: datetime.date) -> int:
    return int(datetime.datetime.combine(day, datetime.time(), datetime.UTC).timestamp() * 1000)


def _notes(asked: Asked, package: Package, reference: Window, current: Window) -> Iterator[str]:
    if not current.total_rows:
        where = "snapshot" if asked.current else "window"
        yield f"The {where} {current.name} has no rows: nothing was compared."
    for window in (reference, current):
        if window.refused:
            first = window.problem
            why = f"; the first: {first.column} {first.problem}" if first is not None else ""
            yield (
                f"{window.refused:,} rows of {window.name} break the contract of {package.info.bento} and "
                f"were left out{why}."
            )
        if window.sample_seed is not None:
            yield (
                f"{window.name} has {window.total_rows:,} rows: drift is counted on all of them; Evidently "
                f"shows a random sample of {len(window.rows):,} (seed {window.sample_seed})."
            )
        if len(window.answered) < window.answered.total_rows:
            yield (
                f"Of the {window.answered.total_rows:,} answers of {window.name}, the quality is that of a "
                f"random sample of {len(window.answered):,} (seed {window.sample_seed})."
            )
    apart = current.total_rows - current.answered.total_rows
    if apart and asked.current is None:
        yield (
            f"{apart:,} of the {current.total_rows:,} rows were answered by an earlier Bento: their inputs "
            f"are compared, their answers say nothing of {package.info.bento}."
        )
    if apart and asked.current is not None:
        yield (
            f"Quality is told by the {current.answered.total_rows:,} held-out rows of {current.name}: "
            f"{package.info.bento} may have learned from the other {apart:,}."
        )
