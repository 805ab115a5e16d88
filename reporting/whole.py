"""Files that appear whole or not at all, whoever else writes there and whenever this process is killed."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

_SUFFIX = ".unfinished"
_ABANDONED_SECONDS = 3600.0
"""So old, an unfinished file has no writer any more."""


def write_whole(path: Path, content: bytes) -> None:
    """Puts the content in the file's place in one step, with its folder where that is absent."""
    write_together({path: content})


def write_together(contents: Mapping[Path, bytes]) -> None:
    """As `write_whole`, of several files: none is replaced before all are on the disk.

    A kill between one replacement and the next leaves the first new and the second old: files that belong
    together must say to what.
    """
    with ExitStack() as open_files:
        written = []
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f".{path.name}.{uuid4().hex}{_SUFFIX}")
            open_files.callback(unfinished.unlink, missing_ok=True)
            file = open_files.enter_context(unfinished.open("wb"))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            written.append((unfinished, path, file))
        for unfinished, path, file in written:
            os.replace(unfinished, path)
            # Evidently's pages watch their folder for changes, and a renamed file is none to them. This one
            # cuts nothing off.
            file.truncate(len(contents[path]))


def sweep_unfinished(folder: Path) -> None:
    """Removes what writers that were killed left in the folder."""
    for path in folder.glob(f".*{_SUFFIX}"):
        try:
            if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                path.unlink()
        except FileNotFoundError:
            continue  # another writer swept it
