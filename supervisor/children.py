"""Other long-lived processes, each started again when it ends: the trainer."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

log = logging.getLogger("rebento.supervisor")

_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 30.0
#: A process that held out so long starts again at once when it ends.
_STEADY_SECONDS = 60.0


@dataclass
class Child:
    """A command that is to run for as long as the supervisor does.

    Its standard input is a pipe that ends when the supervisor is gone. Nothing in here waits, but `end`.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    _process: subprocess.Popen[bytes] | None = None
    _started: float = 0.0
    _start_again_at: float = 0.0
    _backoff_seconds: float = field(default=_FIRST_BACKOFF_SECONDS)

    @property
    def processes(self) -> list[int]:
        return [] if self._process is None else [self._process.pid]

    def look(self, now: float) -> None:
        """One look: a process that ended is started again. `now`: monotonic seconds."""
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return
            if now - self._started > _STEADY_SECONDS:
                self._backoff_seconds = _FIRST_BACKOFF_SECONDS
            log.warning(
                "the %s ended and is started again pid=%d code=%d wait_seconds=%.1f",
                self.name, self._process.pid, code, self._backoff_seconds,
            )  # fmt: skip
            self._forget()
            self._wait(now)
        if now >= self._start_again_at:
            self._start(now)

    def leave(self) -> None:
        """Asks it to end."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def end(self, within_seconds: float) -> None:
        """Waits until it has ended after `leave`, and kills it after so long."""
        if self._process is None:
            return
        try:
            self._process.wait(within_seconds)
        except subprocess.TimeoutExpired:
            log.error("the %s did not end in time and is killed pid=%d", self.name, self._process.pid)
            self._process.kill()
            self._process.wait()
        self._forget()

    def _start(self, now: float) -> None:
        self._started = now
        try:
            self._process = subprocess.Popen(
                self.command, env={**os.environ, **self.environment}, stdin=subprocess.PIPE
            )
        except OSError as error:
            log.error("the %s cannot be started: %s", self.name, error)
            self._wait(time.monotonic())

    def _wait(self, now: float) -> None:
        self._start_again_at = now + self._backoff_seconds
        self._backoff_seconds = min(self._backoff_seconds * 2, _LONGEST_BACKOFF_SECONDS)

    def _forget(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None
