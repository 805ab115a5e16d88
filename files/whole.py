"""A file that appears whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from loop.refusals import Refusal


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which replaces `path` once all of it is on disk.

    Where the block ends with an error, `path` stays as it was. Raises Refusal where it is a folder or its
    folder is absent.
    """
    if path.is_dir():
        raise Refusal(f"{path} is a folder; name a file to write")
    if not path.parent.is_dir():
        raise Refusal(f"there is no folder {path.parent}; make it first, or name a file elsewhere")
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def refusing_a_full_disk(folder: Path, then: str) -> Iterator[None]:
    """A full disk in the block is a Refusal that says what to do: free some, and `then`."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise Refusal(f"the disk of {folder.absolute()} is full: free some of it and {then}") from error
