"""A whole CSV or Parquet file answered to another, in chunks. Nothing is logged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from files.whole import whole_file
from loop.refusals import InvalidRows, Problem, Refusal
from runner.package import Package
from use_cases.contract import Contract
from use_cases.derive import frame_rows
from use_cases.tables import read_chunks

#: Rows held at once: a few tens of MB, and enough for the graph to be busy.
CHUNK_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """What became of a file's rows."""

    rows: int
    refused: int
    warned: int
    ignored_columns: tuple[str, ...]
    first_problem: Problem | None


class _Sink(Protocol):
    def write(self, frame: pd.DataFrame) -> None: ...
    def close(self) -> None: ...


def predict_file(
    package: Package, source: Path, destination: Path, advanced: Callable[[int], None]
) -> FileAnswer:
    """Answers each row of `source` to a row of `destination` (.csv or .parquet), in order.

    Its columns: `row` (counted from 0), the id column where the file has it, `prediction`,
    `probability_CLASS` for each class, `warnings` and `problem`; a row that breaks the contract has a
    problem and no prediction. `advanced` is told the rows done. The destination appears whole or not at
    all. Raises InvalidRows where the file lacks required columns or has no rows, DataNotFound where there
    is no such file, Refusal where the destination cannot be one.
    """
    contract = package.contract
    rows = refused = warned = 0
    ignored: tuple[str, ...] = ()
    first: Problem | None = None
    if destination.exists() and source.exists() and destination.samefile(source):
        raise Refusal(f"{destination} holds the rows themselves; name another file with --output")
    with whole_file(destination) as file, closing(_sink(destination, file)) as sink:
        for chunk in read_chunks(source, text_columns(contract), rows=CHUNK_ROWS):
            if rows == 0:
                ignored = check_header(contract, [str(name) for name in chunk.columns])
            answered, problems, warnings = _answer(package, chunk, rows)
            sink.write(answered)
            first = first or (problems[0] if problems else None)
            refused += len({problem.row for problem in problems})
            warned += warnings
            rows += len(chunk)
            advanced(len(chunk))
        if rows == 0:
            raise InvalidRows(f"{source} has no rows")
    return FileAnswer(rows, refused, warned, ignored, first)


def text_columns(contract: Contract) -> list[str]:
    """Columns whose cells are read as text, so that 007 stays 007."""
    keys = (contract.id_column, contract.time_column, contract.target)
    return [*(c.name for c in contract.category_columns), *(key for key in keys if key)]


def check_header(contract: Contract, names: Iterable[str]) -> tuple[str, ...]:
    """Columns of a file that the use case does not know. Raises InvalidRows where it lacks required ones."""
    there = set(names)
    missing = [c.name for c in contract.columns if not c.nullable and c.name not in there]
    if missing:
        raise InvalidRows(
            f"the file lacks required columns: {', '.join(missing)}",
            [Problem(None, name, "is required and missing") for name in missing],
            missing,
        )
    known = {c.name for c in contract.columns} | {contract.id_column, contract.time_column, contract.target}
    return tuple(sorted(there - known))


def _answer(package: Package, chunk: pd.DataFrame, offset: int) -> tuple[pd.DataFrame, list[Problem], int]:
    contract = package.contract
    checked, kept, problems = package.checker.check_each(frame_rows(contract, chunk))
    columns: dict[str, Any] = {"row": range(offset, offset + len(chunk))}
    if contract.id_column in chunk.columns:
        columns[contract.id_column] = chunk[contract.id_column].to_numpy()
    frame = pd.DataFrame(columns)
    for name in (
        "prediction",
        *(f"probability_{label}" for label in contract.classes),
        "warnings",
        "problem",
    ):
        frame[name] = pd.Series(dtype="float64" if name.startswith("probability_") else "object")
    if kept:
        answers = package.graph.answer(checked.numbers, checked.categories)
        frame.loc[kept, "prediction"] = answers.labels
        for position, label in enumerate(contract.classes):
            values = answers.probabilities[:, position].astype("float64").round(6)
            frame.loc[kept, f"probability_{label}"] = values
        frame.loc[kept, "warnings"] = [
            "; ".join(f"{w['column']}: {w['problem']}" for w in warnings) for warnings in checked.warnings
        ]
    said: dict[int, list[str]] = {}
    for problem in problems:
        said.setdefault(problem.row or 0, []).append(f"{problem.column}: {problem.problem}")
    if said:
        frame.loc[list(said), "problem"] = ["; ".join(sentences) for sentences in said.values()]
    placed = [Problem((p.row or 0) + offset, p.column, p.problem) for p in problems]
    return frame, placed, sum(1 for warnings in checked.warnings if warnings)


def _sink(destination: Path, file: BinaryIO) -> _Sink:
    kinds: dict[str, type[_CsvSink | _ParquetSink]] = {".csv": _CsvSink, ".parquet": _ParquetSink}
    if destination.suffix not in kinds:
        raise Refusal(f"{destination} names no kind of file to write: end it in {' or '.join(kinds)}")
    return kinds[destination.suffix](file)


class _CsvSink:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._is_first = True

    def write(self, frame: pd.DataFrame) -> None:
        frame.to_csv(self._file, index=False, header=self._is_first)
        self._is_first = False

    def close(self) -> None:
        """Nothing waits: each frame is written at once."""


class _ParquetSink:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._writer: pq.ParquetWriter | None = None

    def write(self, frame: pd.DataFrame) -> None:
        # An all-empty column of one chunk must have the type that it has in the next.
        texts = frame.select_dtypes("object").columns
        schema = pa.schema(
            [(n, pa.string() if n in texts else pa.from_numpy_dtype(frame[n].dtype)) for n in frame.columns]
        )
        for name in texts:
            frame[name] = [None if value is None or value != value else str(value) for value in frame[name]]
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, schema)
        self._writer.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
