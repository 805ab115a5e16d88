"""A file appears whole or not at all, also when its writer is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reporting.whole import sweep_unfinished, write_together, write_whole
from tests.homes import ROOT, wait_for

WRITER = """
import sys
from pathlib import Path
from reporting.whole import write_whole

path = Path(sys.argv[1])
for turn in range(1_000_000):
    write_whole(path, str(turn % 10).encode() * 3_000_000)
"""


def test_a_reader_sees_whole_files_only_and_a_killed_writer_leaves_one(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], cwd=ROOT)
    try:
        wait_for(path.exists, "a file")
        seen: set[tuple[bytes, int]] = set()

        def is_written_anew() -> bool:
            seen.update(read(path) for _ in range(300))
            return len(seen) > 1

        wait_for(is_written_anew, "another file in its place")
        wait_for(lambda: any(tmp_path.glob(".*.unfinished")), "a file being written")
    finally:
        writer.kill()
        writer.wait()
    seen.add(read(path))
    assert seen <= {(str(turn).encode(), 3_000_000) for turn in range(10)}


def read(path: Path) -> tuple[bytes, int]:
    """The first byte and how often the file holds it."""
    content = path.read_bytes()
    return content[:1], content.count(content[:1])


def test_what_a_killed_writer_left_is_swept_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    left, fresh = tmp_path / ".run.json.1.unfinished", tmp_path / ".run.json.2.unfinished"
    for path in (left, fresh):
        path.touch()
    os.utime(left, (0, 0))
    sweep_unfinished(tmp_path)
    assert list(tmp_path.iterdir()) == [fresh]


def test_a_write_that_fails_keeps_the_file_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.mkdir()
    with pytest.raises(OSError):
        write_whole(path, b"new")
    assert list(tmp_path.iterdir()) == [path]


def test_of_files_that_belong_together_none_is_replaced_unless_all_could_be_written(tmp_path: Path) -> None:
    page, numbers = tmp_path / "one" / "report.html", tmp_path / "report.json"
    write_together({page: b"old", numbers: b"old"})
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError):
        write_together({page: b"new", tmp_path / "file" / "report.json": b"new"})
    assert page.read_bytes() == b"old" and [path.name for path in page.parent.iterdir()] == ["report.html"]
    write_together({page: b"new", numbers: b"newer"})
    assert (page.read_bytes(), numbers.read_bytes()) == (b"new", b"newer")
