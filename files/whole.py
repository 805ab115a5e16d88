"""A file that appears whole or not at all, of one writer at a time."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from loop.refusals import Refusal


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which replaces `path` once all of it is on disk.

    Where the block ends with an error, `path` stays as it was. Raises Refusal where it is a folder, its
    folder is absent, or another process is just writing it. What a killed process left is written over.
    """
    if path.is_dir():
        raise Refusal(f"{path} is a folder; name a file to write")
    if not path.parent.is_dir():
        raise Refusal(f"there is no folder {path.parent}; make it first, or name a file elsewhere")
    unfinished = path.with_name(f".{path.name}.unfinished")
    with _of_one_writer(unfinished, path) as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(unfinished, path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


def _of_one_writer(unfinished: Path, path: Path) -> BinaryIO:
    """The empty file, held until it is closed."""
    while True:
        # Not emptied yet: it may be another's.
        file = os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666), "wb")
        try:
            _lock(file)
            if _is_at(unfinished, file):
                file.truncate(0)
                return file
        except BlockingIOError as error:
            file.close()
            raise Refusal(
                f"{path} is being written by another process; wait until it has ended, or name another file"
            ) from error
        except BaseException:
            file.close()
            raise
        file.close()  # the other one has just put it in its place


def _lock(file: BinaryIO) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Some network shares have no locks; there two writers at once are the user's to avoid.
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


@contextmanager
def refusing_a_full_disk(folder: Path, then: str) -> Iterator[None]:
    """A full disk in the block is a Refusal that says what to do: free some, and `then`."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise Refusal(f"the disk of {folder.absolute()} is full: free some of it and {then}") from error
