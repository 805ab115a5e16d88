"""A file appears whole or not at all, and two writers do not meet in it."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from files.whole import whole_file
from loop.refusals import Refusal
from tests.homes import ROOT

WRITER = """
import sys, time
from pathlib import Path
from files.whole import whole_file
from loop.refusals import Refusal

path, mine = Path(sys.argv[1]), sys.argv[2].encode()
written = 0
while written < 100:
    try:
        with whole_file(path) as file:
            for _ in range(50):
                file.write(mine * 20_000)
        written += 1
    except Refusal as refusal:
        assert "is being written by another process" in str(refusal)
        time.sleep(0.001)
"""


def test_the_second_of_two_writers_is_told_and_the_first_ends_its_work(tmp_path: Path) -> None:
    path = tmp_path / "kept.tar"
    with whole_file(path) as first:
        first.write(b"of the first")
        with pytest.raises(Refusal, match=r"kept\.tar is being written by another process; wait"):
            with whole_file(path) as second:
                second.write(b"of the second")
    assert path.read_bytes() == b"of the first"
    with whole_file(path) as again:
        again.write(b"later")
    assert path.read_bytes() == b"later"
    assert list(tmp_path.iterdir()) == [path]


def test_writers_that_begin_and_end_at_any_time_leave_whole_files(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_bytes(b"a" * 1_000_000)
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [subprocess.Popen([*command, letter], cwd=ROOT) for letter in "abc"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        content = path.read_bytes()
        seen.add((content[:1], content.count(content[:1])))
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert seen <= {(letter, 1_000_000) for letter in (b"a", b"b", b"c")}
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".kept.tar.unfinished").write_bytes(b"much longer than what is written now")
    with whole_file(tmp_path / "kept.tar") as file:
        file.write(b"short")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("kept.tar", b"short")]


def test_an_error_keeps_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "kept.tar"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as file:
        file.write(b"new")
        raise ZeroDivisionError
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("kept.tar", b"old")]


def test_a_share_without_locks_takes_files_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(file: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with whole_file(tmp_path / "kept.tar") as file:
        file.write(b"new")
    assert (tmp_path / "kept.tar").read_bytes() == b"new"
