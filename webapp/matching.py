"""What an uploaded file holds, against the contract: its columns, and what is wrong in its first rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loop.refusals import InvalidRows, Refusal
from use_cases.contract import Contract
from webapp.forms import Refused
from webapp.language import Speech
from webapp.runner_client import RunnerClient
from webapp.wording import in_their_words

#: Rows looked at before anything runs: what one `/explain` call takes even where its limit was lowered.
CHECKED_ROWS = 50
_SHOWN_ROWS = 5
_LONGEST_CELL = 80


@dataclass(frozen=True, slots=True)
class Match:
    """A column of the contract or of the file."""

    name: str
    state: str
    """found, missing (and required), absent (may be), kept (an id, carried along), ignored."""


@dataclass(frozen=True, slots=True)
class WrongCell:
    """A cell that breaks the contract."""

    row: int
    """From 0, as in the answers."""
    column: str
    value: str
    refused: Refused


@dataclass(frozen=True, slots=True)
class Sample:
    """A file's first rows."""

    names: tuple[str, ...]
    shown: tuple[tuple[str, ...], ...]
    """Cells of the very first rows, as text."""
    rows: tuple[dict[str, Any], ...]
    """As a caller would send them."""


@dataclass(frozen=True, slots=True)
class Check:
    """What the service says of the first rows."""

    rows: int
    """How many were looked at; 0: the service could not say."""
    wrong: tuple[WrongCell, ...]

    @property
    def wrong_rows(self) -> int:
        return len({cell.row for cell in self.wrong})


def matches(contract: Contract, names: Sequence[str]) -> tuple[Match, ...]:
    """Columns that are needed and not there come first, then the others in the contract's order."""
    there = set(names)
    found = [
        Match(c.name, "found" if c.name in there else "absent" if c.nullable else "missing")
        for c in contract.columns
    ]
    keys = [key for key in (contract.id_column, contract.time_column) if key in there and key is not None]
    known = {c.name for c in contract.columns} | set(keys)
    others = [Match(name, "ignored") for name in names if name not in known]
    ordered = sorted(found, key=lambda match: ("missing", "absent", "found").index(match.state))
    return (*ordered, *(Match(key, "kept") for key in keys), *others)


def read_sample(path: Path, contract: Contract, name: str) -> Sample:
    """The first rows of a file. Raises UseCaseMistake, which calls the file `name`, where it is no table."""
    # Imported when a first file comes: pandas takes a second and 60 MB that the other pages do not need.
    from use_cases.derive import frame_rows
    from use_cases.tables import read_chunks

    keys = (contract.id_column, contract.time_column, contract.target)
    text = [*(c.name for c in contract.category_columns), *(key for key in keys if key)]
    try:
        first = next(iter(read_chunks(path, text, rows=CHECKED_ROWS)), None)
    except Refusal as refusal:
        raise type(refusal)(str(refusal).replace(str(path), name)) from refusal
    if first is None:
        return Sample((), (), ())
    shown = first.head(_SHOWN_ROWS).astype(object)
    cells = tuple(
        tuple("" if cell is None or cell != cell else str(cell)[:_LONGEST_CELL] for cell in row)
        for row in shown.itertuples(index=False, name=None)
    )
    # Through JSON, as a caller's would go: Parquet has values that it does not know, such as decimals.
    rows = json.loads(json.dumps(frame_rows(contract, first), default=str))
    return Sample(tuple(str(column) for column in first.columns), cells, tuple(rows))


async def check(runner: RunnerClient, sample: Sample, speech: Speech) -> Check:
    """Asks the service about the sample, by the call that is never logged."""
    try:
        await runner.explain(list(sample.rows))
    except InvalidRows as refusal:
        wrong = tuple(
            WrongCell(
                problem.row,
                problem.column,
                _text(sample.rows[problem.row].get(problem.column)),
                in_their_words(problem.problem, speech),
            )
            for problem in refusal.detail
            if problem.row is not None and problem.column is not None
        )
        return Check(len(sample.rows) if wrong else 0, wrong)
    except Refusal:  # the file can be answered without the service; the page says it was not looked at
        return Check(0, ())
    return Check(len(sample.rows), ())


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:_LONGEST_CELL]
