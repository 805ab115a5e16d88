"""The rows of either side of a comparison, in pieces, each through the champion's contract and graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pandas as pd

from loop.labels import label_text
from loop.refusals import BrokenPackage, Problem
from runner.graph import Answers
from runner.package import REFERENCE, Package
from runner.rows import CheckedRows
from storage.database import Database
from storage.windows import Span, answered_rows
from use_cases.contract import MISSING_CATEGORY, Contract
from use_cases.derive import frame_rows
from use_cases.identity import holdout_mask, identities

CHUNK_ROWS = 5_000
_PREDICTION, _PROBABILITY = "prediction", "probability_"


@dataclass(frozen=True)
class Chunk:
    """Some rows that keep the champion's contract, and how many of theirs did not."""

    rows: pd.DataFrame
    """The contract's columns: numbers float64 (booleans 0 or 1, dates days since 1970), categories object."""
    vectors: np.ndarray
    """float32 (rows, dimensions)."""
    labels: np.ndarray
    """object (rows,): the true label's text, or None."""
    predictions: np.ndarray
    """object (rows,): the predicted label where it may be compared, else None."""
    probabilities: np.ndarray
    """float64 (rows, classes); NaN where there is no prediction to compare."""
    identities: np.ndarray
    """object (rows,): whose each row is."""
    refused: int
    problem: Problem | None
    """The first of them."""


def sample_chunks(package: Package) -> Iterator[Chunk]:
    """The rows the champion learned from, at most 5,000, with out-of-fold predictions.

    Raises BrokenPackage where its file is gone or damaged.
    """
    path = package.folder / REFERENCE
    try:
        frame = pd.read_parquet(path)
    except Exception as error:  # pyarrow raises OSError, ArrowInvalid and more for a damaged file
        raise BrokenPackage(
            f"the reference data {path} cannot be read ({' '.join(str(error).split())}); `rebento train` "
            "makes a version that has them"
        ) from error
    contract = package.contract
    answers = frame[[_PROBABILITY + name for name in contract.classes]].to_numpy(dtype=np.float64)
    checked, kept, problems = package.checker.check_each(frame_rows(contract, frame))
    yield _chunk(
        package,
        checked,
        _answered(package, checked).vectors,
        labels=_texts(frame[contract.target])[kept],
        predictions=_texts(frame[_PREDICTION])[kept],
        probabilities=answers[kept],
        # Persons stay out of a Bento: each row is its own.
        identities=np.array([f"row:{place}" for place in kept], dtype=object),
        problems=problems,
        refused=len(frame) - len(kept),
    )


def production_chunks(
    package: Package, database: Database, span: Span, advanced: Callable[[int], None]
) -> Iterator[Chunk]:
    """The answers of a span. Those that the champion gave may be compared; of others the inputs may."""
    names = package.contract.classes
    for page in answered_rows(database, span, page=CHUNK_ROWS):
        checked, kept, problems = package.checker.check_each([orjson.loads(row.row_json) for row in page])
        good = [page[place] for place in kept]
        its_own = [row.bento == package.info.bento for row in good]
        probabilities = np.full((len(good), len(names)), np.nan)
        for place, row in enumerate(good):
            if its_own[place]:
                answer = orjson.loads(row.probabilities_json)
                probabilities[place] = [answer.get(name, 0.0) for name in names]
        yield _chunk(
            package,
            checked,
            _answered(package, checked).vectors,
            labels=_objects([row.target for row in good]),
            predictions=_objects(
                [row.label if own else None for row, own in zip(good, its_own, strict=True)]
            ),
            probabilities=probabilities,
            identities=_objects([row.entity_id or row.prediction_id for row in good]),
            problems=problems,
            refused=len(page) - len(kept),
        )
        advanced(len(page))


def dated_chunks(package: Package, frame: pd.DataFrame, advanced: Callable[[int], None]) -> Iterator[Chunk]:
    """Rows of the source (`reporting.dated`), answered by the champion's graph now.

    Only the answers to held-out rows may be compared: it may have learned from the others.
    """
    contract, info = package.contract, package.info
    for start in range(0, len(frame), CHUNK_ROWS):
        part = frame.iloc[start : start + CHUNK_ROWS].reset_index(drop=True)
        sent = frame_rows(contract, part)
        checked, kept, problems = package.checker.check_each(sent)
        whose = identities([sent[place] for place in kept], contract.id_column)
        is_held_out = holdout_mask(whose, info.holdout, info.use_case)
        answers = _answered(package, checked)
        predictions = _objects(answers.labels)
        predictions[~is_held_out] = None
        probabilities = answers.probabilities.astype(np.float64)
        probabilities[~is_held_out] = np.nan
        yield _chunk(
            package,
            checked,
            answers.vectors,
            labels=_texts(part[contract.target])[kept],
            predictions=predictions,
            probabilities=probabilities,
            identities=_objects(whose),
            problems=problems,
            refused=len(part) - len(kept),
        )
        advanced(len(part))


def no_rows(package: Package) -> Chunk:
    """A chunk of nothing."""
    checked, _, _ = package.checker.check_each([])
    nothing = _objects([])
    return _chunk(
        package,
        checked,
        _answered(package, checked).vectors,
        labels=nothing,
        predictions=nothing,
        probabilities=np.zeros((0, len(package.contract.classes))),
        identities=nothing,
        problems=(),
        refused=0,
    )


def _answered(package: Package, checked: CheckedRows) -> Answers:
    if checked.rows:
        return package.graph.answer(checked.numbers, checked.categories)
    classes, dimensions = len(package.contract.classes), len(package.info.dimensions)
    return Answers(np.zeros((0, dimensions), np.float32), [], np.zeros((0, classes), np.float32))


def _chunk(
    package: Package,
    checked: CheckedRows,
    vectors: np.ndarray,
    *,
    labels: np.ndarray,
    predictions: np.ndarray,
    probabilities: np.ndarray,
    identities: np.ndarray,
    problems: Sequence[Problem],
    refused: int,
) -> Chunk:
    return Chunk(
        rows=_frame(package.contract, checked),
        vectors=vectors,
        labels=labels,
        predictions=predictions,
        probabilities=probabilities,
        identities=identities,
        refused=refused,
        problem=problems[0] if problems else None,
    )


def _frame(contract: Contract, checked: CheckedRows) -> pd.DataFrame:
    numbers = {
        column.name: checked.numbers[:, place].astype(np.float64)
        for place, column in enumerate(contract.number_columns)
    }
    categories = {}
    for place, column in enumerate(contract.category_columns):
        values = checked.categories[:, place].copy()
        values[values == MISSING_CATEGORY] = None
        categories[column.name] = values
    columns = {column.name: (numbers | categories)[column.name] for column in contract.columns}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(checked.rows)))


def _texts(values: pd.Series) -> np.ndarray:
    return _objects([label_text(value) for value in values.tolist()])


def _objects(values: Sequence[Any]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
