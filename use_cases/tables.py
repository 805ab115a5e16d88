"""One CSV or Parquet file as a DataFrame, its flaws refused in a sentence."""

from __future__ import annotations

import csv
import gzip
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

import pandas as pd
import pyarrow
import pyarrow.parquet

from loop.refusals import DataNotFound, UseCaseMistake

SEPARATORS = ",;\t|"
_WITH_COMMA = re.compile(r"[+-]?\d+,\d+")
_WITH_POINT = re.compile(r"[+-]?\d+\.\d+")


def read_table(path: Path, text_columns: Sequence[str] = ()) -> pd.DataFrame:
    """All rows of a CSV (plain or .gz; comma, semicolon, tab or bar) or Parquet file.

    `text_columns` are read as text, so that codes such as 01 keep their zero. Raises DataNotFound where
    there is no such file, UseCaseMistake where it is empty, unreadable or has a column name twice.
    """
    frames = list(read_chunks(path, text_columns, rows=None))
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def read_chunks(
    path: Path, text_columns: Sequence[str] = (), *, rows: int | None = 10_000
) -> Iterator[pd.DataFrame]:
    """The file's rows in order, at most so many at a time (None: all at once); as `read_table` otherwise."""
    if not path.is_file():
        raise DataNotFound(f"There is no file {path}.")
    try:
        if _is_parquet(path):
            yield from _parquet_chunks(path, rows)
        else:
            yield from _csv_chunks(path, text_columns, rows)
    except pd.errors.EmptyDataError as error:
        raise UseCaseMistake(
            f"{path} is empty: it needs a line of column names and rows below it."
        ) from error
    except UnicodeDecodeError as error:
        raise UseCaseMistake(f"{path} is not UTF-8 text; save it as UTF-8 and try again.") from error
    except (
        pd.errors.ParserError,
        pd.errors.ParserWarning,
        csv.Error,
        pyarrow.ArrowException,
        OSError,
        EOFError,
    ) as error:
        reason = " ".join(str(error).split())
        raise UseCaseMistake(f"{path} cannot be read as a CSV or Parquet file: {reason}") from error


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1" or path.suffix in (".parquet", ".pq")


def _opened(path: Path) -> IO[str]:
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    if compressed:
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open("r", encoding="utf-8-sig", newline="")


def _csv_chunks(path: Path, text_columns: Sequence[str], rows: int | None) -> Iterator[pd.DataFrame]:
    with _opened(path) as file:
        first = file.readline()
        separator = max(SEPARATORS, key=first.count)  # the comma where none occurs
        decimal = _decimal(separator, islice(file, 1_000))
        file.seek(0)
        header = next(csv.reader(file, delimiter=separator), [])
    _refuse_repeated_names(path, header)
    with _opened(path) as file:
        # low_memory off: a column's type must not depend on where its odd values stand in the file.
        options: dict[str, Any] = {
            "sep": separator,
            "decimal": decimal,
            "dtype": dict.fromkeys(text_columns, "str"),
            "low_memory": False,
            "index_col": False,
        }
        with warnings.catch_warnings():
            # The one sign pandas gives of rows that are longer than the header, before it cuts them off.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            if rows is None:
                yield pd.read_csv(file, **options)
                return
            with pd.read_csv(file, chunksize=rows, **options) as reader:
                yield from reader


def _decimal(separator: str, lines: Iterable[str]) -> str:
    """`,` where these lines write numbers as 12,5 and none as 12.5: what spreadsheets make in French."""
    if separator == ",":
        return "."
    cells = [cell.strip(' "\n\r') for line in lines for cell in line.split(separator)]
    has_comma = any(_WITH_COMMA.fullmatch(cell) for cell in cells)
    return "," if has_comma and not any(_WITH_POINT.fullmatch(cell) for cell in cells) else "."


def _parquet_chunks(path: Path, rows: int | None) -> Iterator[pd.DataFrame]:
    with pyarrow.parquet.ParquetFile(path) as file:
        _refuse_repeated_names(path, file.schema_arrow.names)
        if rows is None:
            yield _without_index(file.read())
            return
        for batch in file.iter_batches(batch_size=rows):
            yield _without_index(batch)


def _without_index(table: Any) -> pd.DataFrame:
    """A named pandas index comes back as a column (it is often the id), an unnamed one not at all."""
    frame = cast(pd.DataFrame, table.to_pandas(ignore_metadata=True))
    return frame[[name for name in frame.columns if not str(name).startswith("__index_level_")]]


def _refuse_repeated_names(path: Path, names: Sequence[str]) -> None:
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise UseCaseMistake(
            f"{path} has more than one column named {', '.join(map(repr, repeated))}; give each its own name."
        )
