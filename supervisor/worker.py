"""One worker process of a Bento, and the lines that go to and fro."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from supervisor.counters import Counters

log = logging.getLogger("rebento.supervisor")

Posture = Literal[
    "loading",  # nothing heard yet
    "standby",  # warm, accepts no connection
    "accepting",
]
Order = Literal["accept", "standby"]
POSTURE_AFTER: dict[Order, Posture] = {"accept": "accepting", "standby": "standby"}


@dataclass(frozen=True)
class Launch:
    """How to start a worker of one Bento."""

    bento: str
    folder: Path
    """The code that the Bento carries."""
    listener_fd: int
    environment: Mapping[str, str]
    counters: Counters
    drain_seconds: float
    orphan_seconds: float
    """How long it goes on serving once this process is gone."""

    def start(self, order: Order) -> Worker:
        """A new process that will accept, or stand by, once it is loaded. Raises OSError.

        One that is to stand by loads at low priority, so that those who answer keep the processor.
        """
        ready_read, ready_write = os.pipe()
        os.set_blocking(ready_read, False)
        try:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "runner.worker", self.bento),
                    *("--fd", str(self.listener_fd)),
                    *("--ready-fd", str(ready_write)),
                    *("--drain-seconds", str(self.drain_seconds)),
                ],
                cwd=self.folder,
                # By environment, not by arguments: workers of older Bentos refuse arguments they do not know.
                env={
                    **os.environ,
                    **self.environment,
                    "PYTHONPATH": str(self.folder),
                    "PROMETHEUS_MULTIPROC_DIR": str(self.counters.folder),
                    # BentoML's tracing creates spans that nobody collects: half of a request's time.
                    "OTEL_SDK_DISABLED": "true",
                    "OMP_NUM_THREADS": "1",
                    "WORKER_STARTS": order,
                    "WORKER_ORPHAN_SECONDS": f"{self.orphan_seconds:g}",
                },
                stdin=subprocess.PIPE,  # orders; and the lifeline: it closes when this process is gone
                pass_fds=(self.listener_fd, ready_write, self.counters.lock_fd),
            )
        except OSError:
            os.close(ready_read)
            raise
        finally:
            os.close(ready_write)
        return Worker(process, ready_read, time.monotonic(), order)


@dataclass
class Worker:
    """One process and how it does."""

    process: subprocess.Popen[bytes]
    ready_fd: int
    started: float
    started_in: Order
    posture: Posture = "loading"
    takes_orders: bool = False
    """False: its Bento is older than the orders; it accepts as soon as it is loaded."""
    told: Order | None = None
    told_at: float = 0.0
    waiting_since: float | None = None
    """When it was told something that it has not acknowledged yet (monotonic seconds)."""
    _heard: bytes = field(default=b"", repr=False)
    _is_open: bool = True

    @property
    def is_ready(self) -> bool:
        return self.posture != "loading"

    @property
    def waits_on(self) -> int | None:
        """The descriptor on which it will say something more."""
        return self.ready_fd if self._is_open else None

    def listen(self) -> None:
        """Takes in what it has said since."""
        while self._is_open:
            try:
                said = os.read(self.ready_fd, 4096)
            except BlockingIOError:
                return
            if not said:
                self._is_open = False
            *lines, self._heard = (self._heard + said).split(b"\n")
            for line in lines:
                self._hear(line.decode(errors="replace").strip())

    def tell(self, order: Order | Literal["leave"]) -> None:
        """Sends an order. Its acknowledgement arrives as a new posture."""
        self.told = None if order == "leave" else order
        self.told_at = time.monotonic()
        self.waiting_since = self.waiting_since or self.told_at
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(f"{order}\n".encode())
            self.process.stdin.flush()
        except OSError:  # it has just ended, which its exit code will say
            return

    def forget(self) -> None:
        """Closes what is left of a process that ended."""
        os.close(self.ready_fd)
        if self.process.stdin is not None:
            try:
                self.process.stdin.close()
            except OSError:  # an order that it did not read any more
                return

    def _hear(self, line: str) -> None:
        if line.startswith("ready"):
            self.takes_orders = line != "ready"
            self.posture = POSTURE_AFTER[self.started_in] if self.takes_orders else "accepting"
            self.told, self.told_at = self.started_in, time.monotonic()
        elif line in ("accepting", "standby"):
            self.posture = "accepting" if line == "accepting" else "standby"
            self.waiting_since = None
