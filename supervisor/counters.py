"""The folder in which workers share their counters."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PREFIX = "rebento-metrics-"
_LOCK = "lock"


@dataclass(frozen=True)
class Counters:
    """An empty folder, and the descriptor of a lock that whoever uses it is to hold as well."""

    folder: Path
    lock_fd: int


@contextmanager
def counters(home: Path, memory: Path = Path("/dev/shm")) -> Iterator[Counters]:
    """The folder for the block's workers, removed at the end.

    It lies in memory where there is any in the guise of files: touching a new page of a mapped file on a full
    disk ends a process, which would be the workers. Folders that no living process uses any more (their
    supervisor was killed) are removed: a lock goes when the last process that inherited it has ended.
    """
    _sweep(memory)
    try:
        made = _made(memory)
    except OSError:
        (home / "metrics").mkdir(parents=True, exist_ok=True)
        _sweep(home / "metrics")
        made = _made(home / "metrics")
    try:
        yield made
    finally:
        os.close(made.lock_fd)
        shutil.rmtree(made.folder, ignore_errors=True)
        _sweep(made.folder.parent)


def _made(parent: Path) -> Counters:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        lock_fd = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock_fd, fcntl.LOCK_EX)
        # Another supervisor that swept in the moment before took it for one that nobody uses.
        if (folder / _LOCK).exists():
            return Counters(folder, lock_fd)
        os.close(lock_fd)


def _sweep(parent: Path) -> None:
    for lock in parent.glob(f"{_PREFIX}*/{_LOCK}"):
        try:
            with lock.open("r+") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
        except OSError:  # in use, somebody else's, or gone
            continue
