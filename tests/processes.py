"""What a process started, asked while any of it may end."""

from __future__ import annotations

from contextlib import suppress

import psutil


def beneath(pid: int, words: str, *, recursive: bool = False) -> list[psutil.Process]:
    """The children of a process, or all that it started, whose command line holds these words."""
    found = []
    for child in psutil.Process(pid).children(recursive=recursive):
        with suppress(psutil.NoSuchProcess):  # it has just ended
            if words in " ".join(child.cmdline()):
                found.append(child)
    return found


def is_there(process: psutil.Process) -> bool:
    """Whether it has not ended; one that nobody has buried yet has."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
