"""The rows a run learned from, kept as Parquet under the digest of their content."""

from __future__ import annotations

import os
import struct
import tempfile
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pandas as pd

from loop.labels import label_text
from loop.refusals import DataNotFound, Refusal

_TRUE = {True: b"\x01", False: b"\x00"}


class DamagedSnapshot(Refusal):
    """A snapshot whose content is not what its digest says."""


def digest(rows: pd.DataFrame) -> str:
    """32 hexadecimal characters that name the content: column names in order, and each value in order.

    Independent of process, platform, index and of how Parquet would be written. Integers and floats of
    equal value differ; every NaN is the same missing value.
    """
    hashed = blake2b(digest_size=16)
    rows = storable(rows)
    hashed.update(struct.pack("<qq", *rows.shape))
    for name in rows.columns:
        hashed.update(_sized(str(name).encode("utf-8", "surrogatepass")))
        for part in _column_bytes(rows[name]):
            hashed.update(part)
    return hashed.hexdigest()


def storable(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows in types that Parquet gives back unchanged: int64, float64, bool, microseconds, or text.

    A column of mixed values becomes text (`loop.labels.label_text`). Values that are equal stay equal.
    """
    return pd.DataFrame(
        {str(name): _storable(rows[name]) for name in rows.columns}, index=pd.RangeIndex(len(rows))
    )


def keep_snapshot(rows: pd.DataFrame, folder: Path) -> tuple[str, Path]:
    """Writes the rows to `folder`/DIGEST.parquet unless they are there, and answers digest and path.

    The file appears whole or not at all.
    """
    rows = storable(rows)
    name = digest(rows)
    path = folder / f"{name}.parquet"
    if path.is_file():
        try:
            read_snapshot(name, folder)
            return name, path
        except DamagedSnapshot:
            pass  # the rows at hand are the very ones it should hold: write them anew
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f"{name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            rows.to_parquet(file, index=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return name, path


def read_snapshot(name: str, folder: Path) -> pd.DataFrame:
    """The rows of that digest. Raises DataNotFound (no such file), DamagedSnapshot (other content)."""
    path = folder / f"{name}.parquet"
    if not path.is_file():
        raise DataNotFound(f"There is no snapshot {path}; train again from the data to make it anew.")
    try:
        rows = pd.read_parquet(path)
    except Exception as error:  # pyarrow raises OSError, ArrowInvalid and more for a damaged file
        raise DamagedSnapshot(
            f"The snapshot {path} is no readable Parquet file ({' '.join(str(error).split())}); "
            "restore it from a backup, or train again from the data."
        ) from error
    found = digest(rows)
    if found != name:
        raise DamagedSnapshot(
            f"The snapshot {path} holds other rows than its name says (their digest is {found}); "
            "restore it from a backup, or train again from the data."
        )
    return rows


def _storable(values: pd.Series) -> pd.Series:
    values = values.reset_index(drop=True)
    kind = values.dtype.kind
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[us]")
    if isinstance(values.dtype, pd.api.extensions.ExtensionDtype):
        values, kind = values.astype("object"), "O"
    if kind == "M":
        return values.astype("datetime64[us]")
    if kind == "m":
        return values.dt.total_seconds()
    if kind in "iu" and values.dtype != np.uint64:
        return values.astype("int64")
    if kind in "uf":
        return values.astype("float64")
    if kind == "b":
        return values
    cells = values.where(values.notna(), None).astype("object")
    kinds = set(map(type, cells)) - {type(None)}
    if kinds <= {bool, np.bool_}:
        return cells.map(lambda cell: None if cell is None else bool(cell)).astype("object")
    return cells.map(lambda cell: cell if isinstance(cell, str) else label_text(cell)).astype("object")


def _column_bytes(values: pd.Series) -> list[bytes]:
    kind = values.dtype.kind
    if kind == "f":
        numbers = values.to_numpy(dtype="<f8", copy=True)
        numbers[np.isnan(numbers)] = np.nan  # NaN has many bit patterns; missing is one thing
        return [b"f", numbers.tobytes()]
    if kind == "i":
        return [b"i", values.to_numpy(dtype="<i8").tobytes()]
    if kind == "M":
        return [b"M", values.to_numpy().astype("datetime64[us]").astype("<i8").tobytes()]
    # Booleans with and without missing values are one kind: Parquet gives both back alike.
    return [b"t", *map(_cell_bytes, values.tolist())]


def _cell_bytes(cell: str | bool | None) -> bytes:
    if cell is None:
        return b"n"
    if isinstance(cell, str):
        return b"s" + _sized(cell.encode("utf-8", "surrogatepass"))
    return b"b" + _TRUE[cell]


def _sized(text: bytes) -> bytes:
    return struct.pack("<q", len(text)) + text
