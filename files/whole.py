"""A file that appears whole or not at all."""

from __future__ import annotations

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
