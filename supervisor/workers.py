"""The API's workers: one listening socket, N processes of a Bento, each replaced when it dies."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import multiprocess

from loop.refusals import BrokenPackage, Refusal

log = logging.getLogger("rebento.supervisor")

_CANNOT_SERVE = 3  # runner.worker's exit code; importing it would load the serving code in here
_POLL_SECONDS = 0.05
_LONGEST_BACKOFF_SECONDS = 10.0
#: One may be killed for lack of memory or by hand; the third time it is the Bento or the machine.
_MOST_FAILED_STARTS = 2


class PortTaken(Refusal):
    """Something else listens on the port."""


class WorkersFailed(Refusal):
    """Workers that did not become ready."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket that workers inherit. Raises PortTaken with what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"port {port} on {host} cannot be had ({error.strerror}): stop what listens there, or set "
            "REBENTO_API_PORT to another"
        ) from error
    listener.listen(2048)
    listener.set_inheritable(True)
    return listener


@dataclass
class Worker:
    """One process and how it does."""

    process: subprocess.Popen[bytes]
    ready_fd: int
    started: float
    is_ready: bool = False

    def look(self) -> bool:
        """Whether it accepts requests."""
        if not self.is_ready:
            try:
                self.is_ready = os.read(self.ready_fd, 64).startswith(b"ready")
            except BlockingIOError:
                return False
        return self.is_ready


@dataclass
class Workers:
    """Runs `count` workers of one Bento until `stop`. `folder` is the Bento's own code."""

    bento: str
    folder: Path
    listener: socket.socket
    count: int
    environment: Mapping[str, str]
    metrics_folder: Path
    drain_seconds: float = 30.0
    ready_seconds: float = 60.0
    workers: list[Worker] = field(default_factory=list)
    _backoff_seconds: float = 0.1

    def start(self) -> float:
        """Starts all and waits until each accepts. Gives the seconds it took; raises WorkersFailed."""
        shutil.rmtree(self.metrics_folder, ignore_errors=True)
        self.metrics_folder.mkdir(parents=True)
        began = time.monotonic()
        self.workers = [self._spawn() for _ in range(self.count)]
        failures = 0
        while not all([worker.look() for worker in self.workers]):
            for index, worker in enumerate(self.workers):
                code = worker.process.poll()
                if code is None:
                    continue
                failures += 1
                if code == _CANNOT_SERVE or failures > _MOST_FAILED_STARTS:
                    self.stop()
                    if code == _CANNOT_SERVE:
                        raise BrokenPackage(f"{self.bento} cannot serve here; the line above says why")
                    raise WorkersFailed(
                        f"workers of {self.bento} ended {failures} times before all were ready, last with "
                        f"code {code}; the lines above say why"
                    )
                self._bury(worker)
                self.workers[index] = self._spawn()
            if time.monotonic() - began > self.ready_seconds:
                self.stop()
                raise WorkersFailed(f"{self.bento} was not ready within {self.ready_seconds:g} seconds")
            time.sleep(_POLL_SECONDS)
        return time.monotonic() - began

    def watch(self) -> None:
        """One look at all: a worker that ended is started again. Call it again and again."""
        for index, worker in enumerate(self.workers):
            if worker.look() and time.monotonic() - worker.started > _LONGEST_BACKOFF_SECONDS:
                self._backoff_seconds = 0.1
            code = worker.process.poll()
            if code is None:
                continue
            log.warning(
                "a worker ended and is started again pid=%d code=%d wait_seconds=%.1f",
                worker.process.pid, code, self._backoff_seconds,
            )  # fmt: skip
            self._bury(worker)
            time.sleep(self._backoff_seconds)
            self._backoff_seconds = min(self._backoff_seconds * 2, _LONGEST_BACKOFF_SECONDS)
            self.workers[index] = self._spawn()

    def stop(self) -> None:
        """Lets every worker answer what it holds, then ends it."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.terminate()
        deadline = time.monotonic() + self.drain_seconds + 5
        for worker in self.workers:
            try:
                worker.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.error("a worker did not leave in time and is killed pid=%d", worker.process.pid)
                worker.process.kill()
                worker.process.wait()
            self._bury(worker)
        self.workers = []

    def _spawn(self) -> Worker:
        ready_read, ready_write = os.pipe()
        os.set_blocking(ready_read, False)
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "runner.worker", self.bento),
                *("--fd", str(self.listener.fileno())),
                *("--ready-fd", str(ready_write)),
                *("--drain-seconds", str(self.drain_seconds)),
            ],
            cwd=self.folder,
            env={
                **os.environ,
                **self.environment,
                "PYTHONPATH": str(self.folder),
                "PROMETHEUS_MULTIPROC_DIR": str(self.metrics_folder),
                # BentoML's tracing creates spans that nobody collects: half of a request's time.
                "OTEL_SDK_DISABLED": "true",
                "OMP_NUM_THREADS": "1",
            },
            stdin=subprocess.PIPE,  # the lifeline: it closes when this process is gone
            pass_fds=(self.listener.fileno(), ready_write),
        )
        os.close(ready_write)
        return Worker(process, ready_read, time.monotonic())

    def _bury(self, worker: Worker) -> None:
        os.close(worker.ready_fd)
        if worker.process.stdin is not None:
            worker.process.stdin.close()
        # Its counters stay counted; only its live gauges go.
        multiprocess.mark_process_dead(worker.process.pid, str(self.metrics_folder))
