"""What is done once an hour beside a process's own work."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from loop.refusals import Refusal

log = logging.getLogger("rebento")


def every_hour(work: Callable[[], object], stopping: threading.Event) -> None:
    """Does `work` now and then every hour, in a thread of its own, until `stopping` is set.

    What keeps it from being done is logged, and the next hour tries again.
    """
    threading.Thread(target=_work, args=(work, stopping), name="hourly", daemon=True).start()


def _work(work: Callable[[], object], stopping: threading.Event) -> None:
    while True:
        try:
            work()
        except Refusal as refusal:  # the database is away, say
            log.warning("the hourly work was put off: %s", refusal)
        except Exception:
            log.exception("the hourly work failed")
        if stopping.wait(3600):
            return
