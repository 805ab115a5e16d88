"""How a long-lived process is told to end: a signal, or the end of whoever started it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import stat
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

log = logging.getLogger("rebento.stopping")

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(BaseException):
    """The process is to end now: its work waits for the next start. No error, so that nothing swallows it."""


def leave_at_once_when_told() -> None:
    """From here on a signal ends this process, exit code 0. For its first moments, when it holds nothing.

    The first process of a container has no such handler by itself: it would pass the signal over, and be
    killed for it.
    """
    for number in SIGNALS:
        signal.signal(number, lambda *_: os._exit(0))  # an import could swallow an exception


def until_told_to_stop(name: str) -> AbstractContextManager[threading.Event]:
    """An event that is set by SIGTERM, SIGINT, or the end of standard input: whoever started this is gone.

    Work that goes on is broken off by a signal (Stopped is raised in it) and waits for the next start.
    Whoever ends a process catches Stopped as well: the signal may come in the very moment in which the block
    is entered or left.
    """
    return _UntilToldToStop(name)


class _UntilToldToStop(AbstractContextManager[threading.Event]):
    def __init__(self, name: str) -> None:
        self._name = name
        self._stopping, self._at_work = threading.Event(), threading.Event()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> threading.Event:
        self._before = {number: signal.signal(number, self._stop) for number in SIGNALS}
        when_orphaned(self._stop_orphaned)
        self._at_work.set()
        return self._stopping

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self._at_work.clear()
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._stopping.is_set():
            log.info("the %s was told to stop", self._name)
        return kind is Stopped

    def _stop_orphaned(self) -> None:
        log.warning("whoever started the %s is gone; it leaves", self._name)
        os.kill(os.getpid(), signal.SIGTERM)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        # Ctrl-C, the supervisor's signal and the end of the pipe come together: once is enough, another
        # would break off what puts the work back.
        if not self._stopping.is_set():
            self._stopping.set()
            if self._at_work.is_set():
                raise Stopped


def when_orphaned(act: Callable[[], object]) -> None:
    """Calls `act` in a thread of its own once whoever started this process is gone: standard input, where it
    is a pipe, has come to its end. Where it is none, nothing is ever called."""
    if _has_lifeline():
        threading.Thread(target=_act_when_orphaned, args=(act,), name="lifeline", daemon=True).start()


def _has_lifeline() -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(0).st_mode)
    except OSError:  # it is closed
        return False


def _act_when_orphaned(act: Callable[[], object]) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    act()
