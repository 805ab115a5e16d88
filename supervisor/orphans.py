"""One supervisor a home, and the processes that a killed one left behind."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil

from loop.refusals import Refusal
from supervisor.listening import steer_to_newest, waiting_at_elders

log = logging.getLogger("rebento.supervisor")

_LOCK = "supervisor.lock"
_LEFT = "supervisor.json"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
#: Connections whose handshake began before they were steered away have come through by then.
_HANDSHAKE_SECONDS = 1.0
#: Longest wait for workers to accept what came to their socket before: whoever takes nothing so long hangs.
_ACCEPT_SECONDS = 20.0
#: A process id is used again; together with the second in which it started it is not.
_START_TOLERANCE_SECONDS = 1.0


class AlreadyUp(Refusal):
    """Another supervisor keeps this home."""


@contextmanager
def only_one(home: Path) -> Iterator[str]:
    """Keeps every other supervisor out of `home` in the block. Raises AlreadyUp.

    The lock goes with the process, however it ends; the file stays. Gives a text that names this lock, on
    this machine, since it was started: whoever held the same one before has ended. A copy of the folder has
    another.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / _LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            pid = lock.read().strip() or "unknown"
            raise AlreadyUp(
                f"another `rebento up` (process {pid}) already serves from {home}: stop it first, or set "
                "REBENTO_HOME to another folder; machines that share it need a REBENTO_LOCAL each"
            ) from error
        try:
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
        except OSError as error:  # a full disk: the lock holds, it only bears no name
            log.warning("the lock of %s says no process: %s", home, error)
        file = os.fstat(lock.fileno())
        yield f"{socket.gethostname()} {_boot()} {file.st_dev}:{file.st_ino}"


def _boot() -> str:
    """A text that is another one after each start of the machine."""
    try:
        return _BOOT.read_text().strip()
    except OSError:  # not Linux: a text that nobody had before costs a restart some seconds, and is safe
        return uuid4().hex


@dataclass
class Predecessor:
    """What a supervisor that was killed left running. Nothing in here waits: call `look` again and again."""

    port: int | None
    workers: tuple[psutil.Process, ...]
    children: tuple[psutil.Process, ...]
    _end_at: float | None = None
    _listener: socket.socket | None = None

    def holds(self, port: int) -> bool:
        """Whether its workers listen on this port."""
        return self.port == port and bool(self.workers)

    def end_children(self) -> None:
        """Has the processes beside the workers end, so that there are not two of each."""
        _terminate(self.children)

    def replace(self, listener: socket.socket) -> None:
        """Has the workers go, now that others accept on `listener`."""
        if self.workers:
            log.info("workers left behind are replaced pids=%s", [process.pid for process in self.workers])
            steer_to_newest(listener)
            self._listener = listener
            self._end_at = time.monotonic() + _HANDSHAKE_SECONDS

    def look(self, now: float) -> None:
        """Ends the workers once they have accepted what came to their socket. `now`: monotonic seconds."""
        if self._end_at is None or self._listener is None or now < self._end_at:
            return
        # What waits in a socket that closes is reset.
        if waiting_at_elders(self._listener) and now < self._end_at + _ACCEPT_SECONDS:
            return
        self._end_at = None
        self.end()

    def end(self) -> None:
        """Has the workers answer what they hold, and go."""
        _terminate(self.workers)

    def running(self) -> list[int]:
        """Ids of the workers that are still there."""
        self.workers = tuple(one for one in self.workers if _runs(one))
        return [one.pid for one in self.workers]


@dataclass
class Left:
    """The list of this supervisor's processes, kept in a file for the one that comes after it."""

    home: Path
    port: int
    _written: tuple[frozenset[int], frozenset[int]] | None = None

    def write(self, workers: Sequence[int], children: Sequence[int]) -> None:
        """Notes the processes that run now. A disk that is full is a warning."""
        running = (frozenset(workers), frozenset(children))
        if running == self._written:
            return
        self._written = running
        noted = {
            "port": self.port,
            "workers": _start_times(running[0]),
            "children": _start_times(running[1]),
        }
        new = self.home / f"{_LEFT}.new"
        try:
            new.write_text(json.dumps(noted))
            new.replace(self.home / _LEFT)
        except OSError as error:
            log.warning("the list of processes cannot be written: %s", error)

    def by_predecessor(self) -> Predecessor:
        """What still runs of the supervisor before this one."""
        try:
            noted = json.loads((self.home / _LEFT).read_text())
            port = int(noted["port"])
            workers, children = _still_running(noted["workers"]), _still_running(noted["children"])
        except FileNotFoundError:
            return Predecessor(None, (), ())
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("what an earlier supervisor left cannot be read: %s", error)
            return Predecessor(None, (), ())
        return Predecessor(port, workers, children)


def _start_times(pids: Iterable[int]) -> dict[str, float]:
    started = {}
    for pid in sorted(pids):
        try:
            started[str(pid)] = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:  # it has just ended
            continue
    return started


def _still_running(noted: dict[str, float]) -> tuple[psutil.Process, ...]:
    alive = []
    for pid, started in noted.items():
        try:
            process = psutil.Process(int(pid))
            if abs(process.create_time() - started) < _START_TOLERANCE_SECONDS:
                alive.append(process)
        except psutil.NoSuchProcess:
            continue
    return tuple(alive)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _terminate(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            continue
