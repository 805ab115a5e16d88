"""Rows of a use case: found, read, joined, dated, and checked to be something a classifier can learn."""

from __future__ import annotations

import datetime
import difflib
import importlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from loop.refusals import DataNotFound, NotTrainable, Refusal, UseCaseMistake
from use_cases.kinds import dates, texts, tidy_column
from use_cases.schema import Join, Snapshot, Source
from use_cases.tables import read_table
from use_cases.target import learnable_target
from use_cases.use_case import KNOWN_AT, UseCase


def load_rows(use_case: UseCase, data: Path, as_of: datetime.date | None = None) -> pd.DataFrame:
    """The use case's rows: its features, id, time and target, in the order of the files.

    Columns have the form of their kind (`use_cases.kinds.tidy_column`); id and target are text. A source
    with snapshots adds `known_at` (datetime64). `frame.attrs["dropped"]` counts the rows left out, by
    reason. Relative paths start from `data`. With `as_of` only what was known at the end of that day stays.

    Raises DataNotFound (files absent), UseCaseMistake (columns, joins or dates do not fit) and NotTrainable
    (a numeric target, one class, infinite numbers, no rows).
    """
    rows = _dated_rows(use_case, data, as_of)
    _refuse_absent_columns(use_case, rows.columns)
    rows = rows.drop(columns=list(use_case.ignore))
    dropped: dict[str, int] = {}
    if as_of is not None and not use_case.source.snapshots:
        rows = _until(use_case, rows, as_of, dropped)
    target = learnable_target(use_case, rows[use_case.target], dropped)
    rows = rows.loc[target.index]
    columns: dict[str, pd.Series] = {}
    for name in rows.columns:
        if name == use_case.target:
            columns[name] = target
        elif name == use_case.id:
            columns[name] = texts(rows[name])
        else:
            columns[name] = tidy_column(rows[name], use_case.kinds.get(name))[0]
    tidy = pd.DataFrame(columns).reset_index(drop=True)
    tidy.attrs["dropped"] = dropped
    return tidy


def _dated_rows(use_case: UseCase, data: Path, as_of: datetime.date | None) -> pd.DataFrame:
    source = use_case.source
    if not source.snapshots:
        return _rows_of(use_case, source, data / source.folder, data)
    snapshots = sorted(source.snapshots, key=lambda one: one.date)
    if as_of is not None:
        known = [one for one in snapshots if one.date <= as_of]
        if not known:
            raise UseCaseMistake(
                f"Nothing of {use_case.name} was known at {as_of}; "
                f"its first snapshot is of {snapshots[0].date}."
            )
        snapshots = known
    _refuse_absent_files(use_case, [path for one in snapshots for path in _files(one, source, data)], data)
    frames = []
    for snapshot in snapshots:
        rows = _rows_of(
            use_case, _of_snapshot(snapshot, source), data / source.folder / snapshot.folder, data
        )
        if KNOWN_AT in rows.columns:
            raise UseCaseMistake(f"Column {KNOWN_AT!r} is the snapshot's date; rename the files' column.")
        frames.append(rows.assign(**{KNOWN_AT: pd.Timestamp(snapshot.date)}))
        if set(frames[0].columns) != set(rows.columns) | {KNOWN_AT}:
            differing = sorted(map(str, set(frames[0].columns) ^ set(frames[-1].columns)))
            raise UseCaseMistake(
                f"The snapshots of {use_case.name} differ in their columns: {', '.join(differing)} "
                f"is not in both {snapshots[0].date} and {snapshot.date}."
            )
    return pd.concat(frames, ignore_index=True)


def _of_snapshot(snapshot: Snapshot, source: Source) -> Snapshot | Source:
    return snapshot if snapshot.csv or snapshot.parquet or snapshot.join else source


def source_files(use_case: UseCase, data: Path) -> list[Path]:
    """The files that its rows come from; none where a loader finds its own."""
    source = use_case.source
    if source.loader is not None:
        return []
    if not source.snapshots:
        return [data / source.folder / name for name in _named_files(source)]
    return [path for one in source.snapshots for path in _files(one, source, data)]


def _files(snapshot: Snapshot, source: Source, data: Path) -> list[Path]:
    names = _named_files(_of_snapshot(snapshot, source))
    return [data / source.folder / snapshot.folder / name for name in names]


def _named_files(place: Snapshot | Source) -> tuple[str, ...]:
    return place.join.tables if place.join else (place.csv or place.parquet or "",)


def _rows_of(use_case: UseCase, place: Snapshot | Source, folder: Path, data: Path) -> pd.DataFrame:
    """The rows of one csv, parquet, loader or join."""
    if isinstance(place, Source) and place.loader is not None:
        return _loaded(use_case, place.loader, data)
    paths = [folder / name for name in _named_files(place)]
    _refuse_absent_files(use_case, paths, data)
    as_text = [name for name, kind in use_case.kinds.items() if kind == "category"]
    as_text += [use_case.id] if use_case.id else []
    if place.join is None:
        return read_table(paths[0], as_text)
    return _joined(place.join, paths, [read_table(path, [*as_text, place.join.on]) for path in paths])


def _refuse_absent_files(use_case: UseCase, paths: Iterable[Path], data: Path) -> None:
    absent = [path for path in dict.fromkeys(paths) if not path.is_file()]
    if absent:
        raise DataNotFound(
            f"Use case {use_case.name} needs {', '.join(map(str, absent))}, not there now. Put "
            f"{'it' if len(absent) == 1 else 'them'} there, or set REBENTO_DATA (now {data}) to the folder "
            "that the paths in its use_case.yaml start from."
        )


def _joined(join: Join, paths: list[Path], tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Rows of the first table with the columns of the others. No row may be lost, doubled or half empty."""
    for path, table in zip(paths, tables, strict=True):
        if join.on not in table.columns:
            raise UseCaseMistake(
                f"{path} has no column {join.on!r} to join on; it has {_names(table.columns)}."
            )
        if table[join.on].isna().any():
            empty = int(table[join.on].isna().sum())
            raise UseCaseMistake(f"{path} has {empty} rows without {join.on}; fill them in or remove them.")
        doubled = int(table[join.on].duplicated().sum())
        if doubled:
            raise UseCaseMistake(
                f"{path} has {doubled} rows whose {join.on} occurs before, such as "
                f"{str(table[join.on][table[join.on].duplicated()].iloc[0])!r}; a join needs each once."
            )
    rows = tables[0]
    for path, table in zip(paths[1:], tables[1:], strict=True):
        lacking = ~rows[join.on].isin(table[join.on])
        if lacking.any():
            raise UseCaseMistake(
                f"{path} lacks {int(lacking.sum())} of the {len(rows)} values of {join.on} in {paths[0]}, "
                f"such as {str(rows[join.on][lacking].iloc[0])!r}; add them, or remove those rows there."
            )
        twice = sorted((set(rows.columns) & set(table.columns)) - {join.on})
        if twice:
            raise UseCaseMistake(
                f"{path} has columns that an earlier table has too: {_names(twice)}; rename them."
            )
        rows = rows.merge(table, on=join.on, how="left", validate="one_to_one")
    return rows


def _loaded(use_case: UseCase, loader: str, data: Path) -> pd.DataFrame:
    """What the loader function answers when called with the data folder."""
    module_name, _, function_name = loader.rpartition(":")
    try:
        module = _module(use_case, module_name)
        rows = getattr(module, function_name)(data)
    except Refusal:
        raise
    except Exception as error:  # a loader is the user's code: whatever it raises is said, with its cause
        raise UseCaseMistake(
            f"source.loader {loader} of {use_case.name} failed: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(rows, pd.DataFrame):
        raise UseCaseMistake(
            f"source.loader {loader} must answer a pandas DataFrame, not {type(rows).__name__}."
        )
    return rows.reset_index(drop=True)


def _module(use_case: UseCase, name: str) -> Any:
    if not name.endswith(".py"):
        return importlib.import_module(name)
    path = (use_case.folder or Path()) / name
    if not path.is_file():
        raise DataNotFound(
            f"Use case {use_case.name} has no loader file {path}; put it beside use_case.yaml."
        )
    spec = importlib.util.spec_from_file_location(f"use_case_{use_case.name}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UseCaseMistake(f"{path} cannot be loaded as a Python file.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _until(
    use_case: UseCase, rows: pd.DataFrame, as_of: datetime.date, dropped: dict[str, int]
) -> pd.DataFrame:
    """The rows whose time is no later than the end of that day; those without a time were not known."""
    times = dates(rows[use_case.time]) if use_case.time is not None else pd.Series(dtype="datetime64[ns]")
    if not times.notna().any():
        reason = (
            f"its time column {use_case.time} holds no dates" if use_case.time else "it names no time column"
        )
        raise UseCaseMistake(
            f"{use_case.name} has no dates to look back by ({reason}, and its source has no snapshots); "
            "train without --as-of."
        )
    known = times < pd.Timestamp(as_of) + pd.Timedelta(days=1)
    if not known.any():
        raise NotTrainable(
            f"No row of {use_case.name} was known at {as_of}; its first is of {times.min().date()}."
        )
    dropped |= {
        "later than as-of": int((times.notna() & ~known).sum()),
        "without a time": int(times.isna().sum()),
    }
    return rows[known]


def _refuse_absent_columns(use_case: UseCase, columns: Iterable[Any]) -> None:
    there = [str(column) for column in columns]
    named: dict[str, Iterable[str | None]] = {
        "target": [use_case.target],
        "id": [use_case.id],
        "time": [use_case.time],
        "ignore": use_case.ignore,
        "kinds": use_case.kinds,
    }
    mistakes = []
    for key, names in named.items():
        for name in names:
            if name is not None and name not in there:
                close = difflib.get_close_matches(name, there, n=1)
                mistakes.append(
                    f"{key}: no column {name!r}" + (f" (did you mean {close[0]!r}?)" if close else "")
                )
    if mistakes:
        raise UseCaseMistake(
            f"use_case.yaml of {use_case.name} names columns that its rows do not have: "
            f"{'; '.join(mistakes)}. They have {_names(there)}."
        )


def _names(columns: Iterable[Any]) -> str:
    return ", ".join(map(str, columns))
