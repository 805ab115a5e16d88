"""How a long-lived process is told to end: a signal, or the end of whoever started it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

log = logging.getLogger("rebento.stopping")


class Stopped(BaseException):
    """The process is to end now: its work waits for the next start. No error, so that nothing swallows it."""


@contextmanager
def until_told_to_stop(name: str, *, nice: int = 0) -> Iterator[threading.Event]:
    """An event that is set by SIGTERM, SIGINT, or the end of standard input: whoever started this is gone.

    Work that goes on is broken off by a signal (Stopped is raised in it) and waits for the next start.
    `nice` lowers this process's priority by so much: answers come first. Logs begin with `name`.
    """
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s {name} %(levelname)s %(message)s")
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        # Ctrl-C, the supervisor's signal and the end of the pipe come together: once is enough, another
        # would break off what puts the work back.
        if not stopping.is_set():
            stopping.set()
            raise Stopped

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    if has_lifeline():
        threading.Thread(target=_stop_when_orphaned, args=(name,), name="lifeline", daemon=True).start()
    os.nice(nice)
    try:
        yield stopping
    except Stopped:
        log.info("the %s was told to stop", name)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def has_lifeline() -> bool:
    """Whether standard input is a pipe, of which whoever started this holds the other end."""
    try:
        return stat.S_ISFIFO(os.fstat(0).st_mode)
    except OSError:  # it is closed
        return False


def _stop_when_orphaned(name: str) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    log.warning("whoever started the %s is gone; it leaves", name)
    os.kill(os.getpid(), signal.SIGTERM)
