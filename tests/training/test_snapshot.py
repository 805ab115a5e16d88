from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loop.refusals import DataNotFound
from tests.training.conftest import visits
from training.snapshot import DamagedSnapshot, digest, keep_snapshot, read_snapshot, storable

ROOT = Path(__file__).resolve().parents[2]


def test_a_snapshot_gives_the_rows_back(tmp_path: Path) -> None:
    rows = visits()
    rows["maybe"] = pd.Series([True, None, False] * 200, dtype=object)
    rows["mixed"] = pd.Series([1, "x", None] * 200, dtype=object)
    name, path = keep_snapshot(rows, tmp_path)
    assert path.name == f"{name}.parquet"
    pd.testing.assert_frame_equal(read_snapshot(name, tmp_path), storable(rows))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_the_digest_is_of_the_content_not_of_process_index_or_writer(tmp_path: Path) -> None:
    rows = visits()
    name, path = keep_snapshot(rows, tmp_path)
    rows.index = pd.Index(range(900, 1500))
    assert digest(rows) == name
    pd.read_parquet(path).to_parquet(path, compression="gzip", row_group_size=50)
    assert digest(read_snapshot(name, tmp_path)) == name
    code = "import training.snapshot as s, tests.training.conftest as c; print(s.digest(c.visits()))"
    other = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == name


def test_any_change_changes_the_digest() -> None:
    rows = pd.DataFrame({"a": [1.0, np.nan], "b": ["x", None]})
    changed = [
        rows.iloc[::-1],
        rows[["b", "a"]],
        rows.rename(columns={"a": "c"}),
        rows.assign(a=[1.0, 2.0]),
        rows.assign(b=["x", ""]),
        rows.assign(b=["x", "None"]),
        rows.iloc[:1],
        pd.DataFrame({"a": [1.0, np.nan], "b": [None, "x"]}),
    ]
    names = [digest(rows), *map(digest, changed)]
    assert len(set(names)) == len(names)
    assert digest(pd.DataFrame({"a": ["xy", "z"]})) != digest(pd.DataFrame({"a": ["x", "yz"]}))


def test_a_damaged_snapshot_is_refused_and_written_anew(tmp_path: Path) -> None:
    rows = visits(60)
    name, path = keep_snapshot(rows, tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DamagedSnapshot, match="no readable Parquet"):
        read_snapshot(name, tmp_path)
    storable(rows.assign(age=1)).to_parquet(path)
    with pytest.raises(DamagedSnapshot, match="other rows"):
        read_snapshot(name, tmp_path)
    keep_snapshot(rows, tmp_path)
    assert len(read_snapshot(name, tmp_path)) == 60
    with pytest.raises(DataNotFound):
        read_snapshot("0" * 32, tmp_path)
