"""A file of true answers, taken through the very path that `/feedback` takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
import pandas as pd

from files.predictions import check_header, text_columns
from loop.labels import label_text
from loop.refusals import InvalidRows, Problem, UnknownPrediction
from runner.engine import Engine
from use_cases.contract import Contract
from use_cases.derive import frame_rows
from use_cases.tables import read_chunks

_CHUNK_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class FileReceipt:
    """What became of a file of feedback."""

    accepted: int
    pending: int
    production_rows: int
    training_runs: tuple[str, ...]


def load_feedback(engine: Engine, source: Path, advanced: Callable[[int], None]) -> FileReceipt:
    """Stores every row of a CSV or Parquet file: `prediction_id,target`, or whole rows with the target.

    Optional columns: `source`, and `key` beside whole rows. Whole rows without a key get one made of
    their content, so that the same file twice is stored once. The file is checked before anything is
    stored: InvalidRows and UnknownPrediction name rows of the file, counted from 0.
    """
    for start, items in _items(engine, source):
        try:
            engine.check_feedback(items)
        except InvalidRows as error:
            raise InvalidRows(_in_file(error.detail, start), _moved(error.detail, start)) from error
        except UnknownPrediction as error:
            raise UnknownPrediction(_in_file(error.detail, start), _moved(error.detail, start)) from error
    accepted = pending = production_rows = 0
    runs: list[str] = []
    for _, items in _items(engine, source):
        receipt = engine.feedback(items).result()
        accepted += receipt["accepted"]
        pending += receipt["pending"]
        production_rows = receipt["production_rows"]
        runs += [receipt["training_run"]] if receipt["training_run"] else []
        advanced(len(items))
    return FileReceipt(accepted, pending, production_rows, tuple(runs))


def _items(engine: Engine, source: Path) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """The file as calls of feedback, each with the place of its first row."""
    contract = engine.package.contract
    start = 0
    seen: Counter[str] = Counter()
    text = [*text_columns(contract), "prediction_id", "target", "source", "key"]
    for chunk in read_chunks(source, text, rows=min(_CHUNK_ROWS, engine.limits.rows)):
        if not chunk.empty:
            yield start, _chunk_items(contract, chunk, seen)
            start += len(chunk)
    if start == 0:
        raise InvalidRows(f"{source} has no rows")


def _chunk_items(contract: Contract, chunk: pd.DataFrame, seen: Counter[str]) -> list[dict[str, Any]]:
    target = contract.target if contract.target in chunk.columns else "target"
    if target not in chunk.columns:
        raise InvalidRows(
            f"the file has no column target (nor {contract.target}); it needs prediction_id,target or whole "
            f"rows with {contract.target}"
        )
    extras = [name for name in ("source", "key") if name in chunk.columns and not _is_feature(contract, name)]
    columns: dict[str, list[Any]] = {
        name: [None if value != value else value for value in chunk[name].tolist()]
        for name in (target, *extras)
    }
    items: list[dict[str, Any]]
    if "prediction_id" in chunk.columns:
        items = [{"prediction_id": value} for value in chunk["prediction_id"].tolist()]
    else:
        check_header(contract, [str(name) for name in chunk.columns])
        items = [{"row": row} for row in frame_rows(contract, chunk)]
        if "key" not in extras:
            columns["key"] = [
                _key(item["row"], label, seen) for item, label in zip(items, columns[target], strict=True)
            ]
    for name, values in columns.items():
        for item, value in zip(items, values, strict=True):
            item["target" if name == target else name] = value
    return items


def _is_feature(contract: Contract, name: str) -> bool:
    return any(column.name == name for column in contract.columns)


def _key(row: dict[str, Any], label: Any, seen: Counter[str]) -> str:
    """The row's content, and how many equal rows came before it in the file."""
    # As text: beside 3.5 a 3 is read as 3.0, and the same row must have the same key in every file.
    content = orjson.dumps([sorted((n, label_text(v)) for n, v in row.items()), label_text(label)])
    digest = blake2b(content, digest_size=16).hexdigest()
    seen[digest] += 1
    return f"file:{digest}:{seen[digest]}"


def _moved(detail: tuple[Problem, ...], start: int) -> list[Problem]:
    return [Problem((p.row or 0) + start, p.column, p.problem) for p in detail]


def _in_file(detail: tuple[Problem, ...], start: int) -> str:
    first = detail[0]
    more = f", and {len(detail) - 1} more" if len(detail) > 1 else ""
    return (
        f"row {(first.row or 0) + start} of the file, {first.column}: {first.problem}{more}; "
        "mend the file and load it again, nothing of it was stored"
    )
