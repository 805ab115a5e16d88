"""What ended workers counted, folded into one file of each kind: a hundred swaps must not slow a scrape."""

from __future__ import annotations

import fcntl
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.mmap_dict import MmapedDict

#: Left alone up to here: a promotion on probation is judged by what each of its workers counted.
_LEFT_ALONE = 16
_KINDS = ("counter", "histogram")
_FOLDED = "ended"
_LOCK = "scrape.lock"


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Nothing is folded in the block: a value would be seen twice, or not at all."""
    with _held(folder, fcntl.LOCK_SH):
        yield


def fold_ended(folder: Path, left_alone: int = _LEFT_ALONE) -> int:
    """Adds up the counters and histograms of processes that are gone; how many processes'.

    Nothing is done for `left_alone` processes or fewer. Gauges of ended processes are removed by whoever
    started them (`prometheus_client.multiprocess.mark_process_dead`).
    """
    ended = sorted({pid for kind in _KINDS for pid in _pids(folder, kind) if not _is_alive(pid)})
    if len(ended) <= left_alone:
        return 0
    for kind in _KINDS:
        _fold(folder, kind, ended)
    return len(ended)


def is_filled(path: Path) -> bool:
    """Whether a file of counters can be read: a worker makes it empty and fills it a moment later, or is
    killed before it does. One that is gone holds nothing either."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def _fold(folder: Path, kind: str, pids: list[int]) -> None:
    target = folder / f"{kind}_{_FOLDED}.db"
    files = [path for pid in pids if (path := folder / f"{kind}_{pid}.db").exists()]
    sums: dict[str, float] = defaultdict(float)
    for path in (*files, target):
        if is_filled(path):
            for key, value in _values(path):
                sums[key] += value
    unfinished = folder / f"{kind}_{_FOLDED}.unfinished"  # no name that a scrape looks for
    unfinished.unlink(missing_ok=True)
    merged: Any = MmapedDict(str(unfinished))  # type: ignore[no-untyped-call]
    for key, value in sums.items():
        merged.write_value(key, value, 0.0)
    merged.close()
    with _held(folder, fcntl.LOCK_EX):
        os.replace(unfinished, target)
        for path in files:
            path.unlink()


def _values(path: Path) -> Iterator[tuple[str, float]]:
    for key, value, *_ in MmapedDict.read_all_values_from_file(str(path)):  # type: ignore[no-untyped-call]
        yield key, value


def _pids(folder: Path, kind: str) -> Iterator[int]:
    for path in folder.glob(f"{kind}_*.db"):
        number = path.stem.removeprefix(f"{kind}_")
        if number.isdecimal():
            yield int(number)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def _held(folder: Path, how: int) -> Iterator[None]:
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
