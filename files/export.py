"""ref_data.csv and prod_data.csv: rows as the vectors of one and the same graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson
import pandas as pd

from files.whole import whole_file
from runner.package import Package
from runner.rows import CheckedRows
from storage.database import Database
from storage.labelled import labelled_rows
from storage.predictions import Prediction
from training.ages import Ages
from training.gathering import prediction_ids
from training.recipe import Recipe
from training.recipes import learned_places
from training.snapshot import read_snapshot
from use_cases.derive import frame_rows
from use_cases.identity import holdout_mask, identities

_CHUNK_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Exported:
    """The two files with their rows, and the production rows that the champion's contract refuses."""

    files: dict[Path, int]
    refused: int


def export_data(
    package: Package, database: Database, home: Path, folder: Path, advanced: Callable[[int], None]
) -> Exported:
    """Writes both files into `folder`, whole or not at all.

    ref_data.csv holds the rows the champion learned from: its dimensions by name, then `target`.
    prod_data.csv holds the labelled production rows: the same, then `target`, `prediction` as it was
    given. Both are embedded anew by the champion's graph. Raises DataNotFound, DamagedSnapshot.
    """
    folder.mkdir(parents=True, exist_ok=True)
    reference = folder / "ref_data.csv"
    production = folder / "prod_data.csv"
    with whole_file(reference) as file:
        learned = _write_reference(package, home, file, advanced)
    with whole_file(production) as file:
        served, refused = _write_production(package, database, file, advanced)
    return Exported({reference: learned, production: served}, refused)


def _write_reference(package: Package, home: Path, file: BinaryIO, advanced: Callable[[int], None]) -> int:
    contract, info = package.contract, package.info
    frame = read_snapshot(info.data_digest, home / "snapshots")
    rows = frame_rows(contract, frame)
    whose = identities(rows, contract.id_column, prediction_ids(frame))
    is_held_out = holdout_mask(whose, info.holdout, info.use_case)
    learned = _learned(package, frame, rows, np.flatnonzero(~is_held_out))
    targets = frame[contract.target].tolist()
    written = 0
    _header(package, file, ["target"])
    for start in range(0, len(rows), _CHUNK_ROWS):
        places = [i for i in range(start, min(start + _CHUNK_ROWS, len(rows))) if learned[i]]
        checked, kept, _ = package.checker.check_each([rows[i] for i in places])
        _write(package, file, checked, {"target": [targets[places[i]] for i in kept]})
        written += len(kept)
        advanced(len(places))
    return written


def _learned(
    package: Package, frame: pd.DataFrame, rows: list[dict[str, Any]], places: np.ndarray
) -> np.ndarray:
    """bool (rows,): the rows the champion learned from, among those that no version holds out.

    Of a recent champion its window; of a fine-tuned one its ancestor's rows as well.
    """
    learned = np.zeros(len(rows), dtype=bool)
    recipe = None if package.info.recipe is None else Recipe.model_validate(package.info.recipe)
    if recipe is not None and recipe.kind == "recent":
        _, kept, _ = package.checker.check_each([rows[i] for i in places])
        ages = Ages.of(package.contract.time_column, frame)
        places = learned_places(ages, places[kept], recipe)
    learned[places] = True
    return learned


def _write_production(
    package: Package, database: Database, file: BinaryIO, advanced: Callable[[int], None]
) -> tuple[int, int]:
    written = refused = 0
    _header(package, file, ["target", "prediction"])
    with database.reading() as connection:
        labelled = labelled_rows(connection, package.info.use_case)
        while group := list(islice(labelled, _CHUNK_ROWS)):
            checked, kept, _ = package.checker.check_each([_row(item.prediction) for item in group])
            good = [group[i] for i in kept]
            columns = {
                "target": [item.target for item in good],
                "prediction": [item.prediction.label for item in good],
            }
            _write(package, file, checked, columns)
            written += len(kept)
            refused += len(group) - len(kept)
            advanced(len(group))
    return written, refused


def _row(prediction: Prediction) -> dict[str, Any]:
    row: dict[str, Any] = orjson.loads(prediction.row_json)
    return row


def _header(package: Package, file: BinaryIO, more: Sequence[str]) -> None:
    pd.DataFrame(columns=[*package.info.dimensions, *more]).to_csv(file, index=False)


def _write(package: Package, file: BinaryIO, checked: CheckedRows, columns: dict[str, list[str]]) -> None:
    vectors = package.graph.answer(checked.numbers, checked.categories).vectors
    frame = pd.DataFrame(vectors, columns=package.info.dimensions)
    for name, values in columns.items():
        frame.insert(len(frame.columns), name, values, allow_duplicates=True)
    frame.to_csv(file, index=False, header=False)
