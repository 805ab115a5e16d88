"""Priority among the processes of one machine: answers come before everything else."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

NICENESS = 10
"""By how much the priority of what can wait is lower: it gets a tenth of a processor that others want."""


def make_way() -> None:
    """Lowers the priority of this process for good.

    To be called before anything is imported: Linux keeps a nice value for each thread, and threads that
    linear algebra started earlier would keep theirs.
    """
    os.nice(NICENESS)


def at_low_priority(act: Callable[[], Found]) -> Found:
    """What `act` gives, made at low priority; afterwards this process has the priority that it had.

    In a thread that ends with it: on Linux a thread that has lowered its priority cannot raise it again.
    Elsewhere priorities belong to the process, and none is lowered. A thread that `act` starts keeps its own.
    """
    from concurrent.futures import ThreadPoolExecutor  # not before a process has its signal handlers

    def lowered() -> Found:
        if sys.platform == "linux":
            here = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, here, os.getpriority(os.PRIO_PROCESS, here) + NICENESS)
        return act()

    with ThreadPoolExecutor(1, thread_name_prefix="low-priority") as executor:
        return executor.submit(lowered).result()
