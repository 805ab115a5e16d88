"""The rows known at an instant: reference and production rows in one snapshot."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import pandas as pd

from loop.labels import label_text
from loop.refusals import UseCaseMistake
from storage.database import Database
from storage.labelled import LabelledRow, labelled_rows
from training.snapshot import keep_snapshot, storable
from use_cases.contract import Kind
from use_cases.kinds import booleans, dates, numbers, texts, tidy_column, without_blanks
from use_cases.source import load_rows
from use_cases.use_case import KNOWN_AT, UseCase

PREDICTION_ID = "rebento_prediction_id"
"""Column of a snapshot: the prediction a production row was the question of; missing in reference rows."""

KNOWN_AT_MS = "rebento_known_at_ms"
"""Column of a snapshot: when prediction and true answer were both known (milliseconds, UTC)."""

RESERVED = (PREDICTION_ID, KNOWN_AT_MS)
"""Columns that say where a row is from. Never features; absent where no row came through the service."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The rows of a run, reference rows first, production rows in the order in which they became known."""

    rows: pd.DataFrame
    digest: str
    """Of the snapshot under `home`/snapshots."""
    instant_ms: int
    left_out: dict[str, int]
    """Rows that are not among them, by reason."""
    production_rows: int


def gather(
    use_case: UseCase,
    *,
    data: Path,
    home: Path,
    database: Database,
    as_of: datetime.date | None,
    instant_ms: int,
) -> Gathered:
    """Reference rows as of a day with the production rows known at an instant, kept as one snapshot.

    The same instant gives the same rows and digest, whatever came later. Without production rows the
    snapshot is that of the reference rows alone. Raises what `use_cases.source.load_rows` raises.
    """
    reference = load_rows(use_case, data, as_of)
    taken = [name for name in RESERVED if name in reference.columns]
    if taken:
        raise UseCaseMistake(
            f"{', '.join(taken)}: Rebento gives this name to a column of its own; rename it in the data, or "
            "put it under ignore."
        )
    left_out: dict[str, int] = dict(reference.attrs.get("dropped", {}))
    with database.reading() as connection:
        production = production_frame(
            use_case, reference, labelled_rows(connection, use_case.name, as_of_ms=instant_ms), left_out
        )
    rows = storable(reference if production.empty else _stacked(reference, production))
    digest, _ = keep_snapshot(rows, home / "snapshots")
    return Gathered(rows, digest, instant_ms, left_out, len(production))


def production_frame(
    use_case: UseCase, reference: pd.DataFrame, labelled: Iterable[LabelledRow], left_out: dict[str, int]
) -> pd.DataFrame:
    """Production rows with the columns of the reference rows and RESERVED, in the form of their kinds.

    Keys of a row that are no column now are left aside; a row with a value that its column's kind cannot
    read is left out, as is one of a class that the use case does not learn, and both are counted.
    """
    found = list(labelled)
    rows = [orjson.loads(item.prediction.row_json) for item in found]
    columns: dict[str, pd.Series] = {}
    odd = np.zeros(len(found), dtype=bool)
    for name in map(str, reference.columns):
        if name == use_case.target:
            columns[name] = pd.Series([item.target for item in found], dtype="object")
        elif name == KNOWN_AT and use_case.source.snapshots:
            columns[name] = pd.Series(np.full(len(found), "NaT"), dtype="datetime64[us]")
        else:
            sent = without_blanks(pd.Series([row.get(name) for row in rows], dtype="object"))
            if name == use_case.id:
                columns[name] = sent.map(label_text).astype("object")
            else:
                kind = tidy_column(reference[name], use_case.kinds.get(name))[1]
                columns[name] = _of_kind(sent, kind)
                if name != use_case.time:
                    odd |= (columns[name].isna() & sent.notna()).to_numpy()
    columns[PREDICTION_ID] = pd.Series([item.prediction.prediction_id for item in found], dtype="object")
    columns[KNOWN_AT_MS] = pd.Series([item.known_at_ms for item in found], dtype="float64")
    frame = pd.DataFrame(columns)
    foreign = np.zeros(len(found), dtype=bool)
    if use_case.classes:
        foreign = ~frame[use_case.target].isin(use_case.classes).to_numpy() & ~odd
    for why, mask in (("production rows of other columns", odd), ("of other classes", foreign)):
        if mask.any():
            left_out[why] = left_out.get(why, 0) + int(mask.sum())
    return frame[~(odd | foreign)].reset_index(drop=True)


def prediction_ids(rows: pd.DataFrame) -> list[str | None] | None:
    """The prediction that each row of a snapshot was the question of; None where none came so."""
    if PREDICTION_ID not in rows.columns:
        return None
    return [name if isinstance(name, str) else None for name in rows[PREDICTION_ID].tolist()]


def _of_kind(sent: pd.Series, kind: Kind) -> pd.Series:
    if kind == "number":
        return numbers(sent).astype("float64")
    if kind == "date":
        return dates(sent).astype("datetime64[us]")
    return texts(sent) if kind == "category" else booleans(sent, more=True)


def _stacked(reference: pd.DataFrame, production: pd.DataFrame) -> pd.DataFrame:
    """Both, column by column: pandas' own concatenation guesses at the type of an empty column."""
    columns: dict[str, pd.Series] = {}
    for name in map(str, production.columns):
        below = production[name]
        if name == KNOWN_AT_MS:
            above = pd.Series(np.full(len(reference), np.nan))
        elif name == PREDICTION_ID:
            above = pd.Series([None] * len(reference), dtype="object")
        else:
            above = reference[name]
        if below.dtype.kind == "f" and above.dtype.kind in "iuf":
            columns[name] = pd.Series(np.concatenate([above.to_numpy("float64"), below.to_numpy("float64")]))
        elif below.dtype.kind == "M" and above.dtype.kind == "M":
            parts = [part.to_numpy("datetime64[us]") for part in (above, below)]
            columns[name] = pd.Series(np.concatenate(parts))
        else:
            joined = pd.Series([*above.tolist(), *below.tolist()], dtype="object")
            # As Parquet will give it back.
            whole = above.dtype == bool and bool(below.notna().all())
            columns[name] = joined.astype("bool") if whole else joined
    return pd.DataFrame(columns)


def end_of_day_ms(day: datetime.date) -> int:
    """The last millisecond of a day, UTC."""
    after = datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time(), datetime.UTC)
    return int(after.timestamp() * 1000) - 1
