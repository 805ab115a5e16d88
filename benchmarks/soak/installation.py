"""An installation to which anything may happen."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from sqlalchemy import text

from benchmarks.servers import BIN, ROOT
from benchmarks.swap import ask_for_the_other
from loop.refusals import Refusal
from storage.database import Database

_UP_SECONDS = 60.0


@dataclass
class Installation:
    """`rebento up` of one installation, started again when it was killed, and what was done to it."""

    environment: dict[str, str]
    log: Path
    database: Database
    chance: random.Random
    on_postgresql: bool = False
    process: subprocess.Popen[bytes] | None = None
    kills: list[float] = field(default_factory=list)
    """When a worker was killed: calls that it held may fail then, and its last predictions be lost."""
    done: Counter[str] = field(default_factory=Counter)

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [BIN / "rebento", "up"], cwd=ROOT, env={**os.environ, **self.environment},
                stdout=output, stderr=output,
            )  # fmt: skip

    def wait_until_up(self) -> None:
        """Raises RuntimeError where it does not come up."""
        deadline = time.monotonic() + _UP_SECONDS
        while "answers at" not in self.log.read_text():
            if time.monotonic() > deadline:
                raise RuntimeError(f"it did not come up:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.1)

    def one_thing(self) -> None:
        """Something happens."""
        things: list[tuple[int, Callable[[], None]]] = [
            (6, self.swap),
            (3, self.kill_worker),
            (2, self.freeze_worker),
            (2, self.kill_beside),
            (1, self.kill_supervisor),
            (1, self.hold_database),
            (1, self.back_up),
        ]
        if self.on_postgresql:
            things.append((2, self.end_sessions))
        (thing,) = self.chance.choices([one for _, one in things], [weight for weight, _ in things])
        try:
            thing()
        except psutil.NoSuchProcess:  # it was about to end by itself, or is only just being started
            return
        self.done[thing.__name__] += 1

    def swap(self) -> None:
        try:
            ask_for_the_other(self.database)
        except Refusal as refusal:
            self.done[f"refused: {refusal}"] += 1

    def kill_worker(self) -> None:
        worker = self._any("runner.worker")
        self.kills.append(time.time())
        worker.kill()

    def freeze_worker(self) -> None:
        worker = self._any("runner.worker")
        worker.suspend()
        time.sleep(self.chance.uniform(0.5, 3))
        worker.resume()

    def kill_beside(self) -> None:
        """The trainer, the reporter or the pages, and what they started."""
        victim = self._any(self.chance.choice(["cli trainer", "cli reporter", "cli web"]))
        for one in (*victim.children(recursive=True), victim):
            one.kill()

    def kill_supervisor(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        time.sleep(self.chance.uniform(0, 3))
        self.start()

    def hold_database(self) -> None:
        with self.database.writing():
            time.sleep(self.chance.uniform(0.5, 4))

    def end_sessions(self) -> None:
        """As a server that is restarted does: every connection breaks at once."""
        with self.database.writing() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE pid <> pg_backend_pid() AND datname = current_database()"
                )
            )

    def back_up(self) -> None:
        target = self.log.with_name(f"backup-{time.monotonic_ns()}.tar")
        ended = subprocess.run(
            [BIN / "rebento", "backup", target],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
        )
        if ended.returncode != 0:
            self.done[f"backup: {ended.stderr.strip()[-300:]}"] += 1
        target.unlink(missing_ok=True)

    def stop(self) -> tuple[int, list[psutil.Process]]:
        """Exit code, and what is still there ten seconds after it."""
        assert self.process is not None
        started = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60), psutil.wait_procs(started, timeout=10)[1]

    def _any(self, named: str) -> psutil.Process:
        """One of the supervisor's processes. Raises psutil.NoSuchProcess where there is none now."""
        assert self.process is not None
        found = []
        for child in psutil.Process(self.process.pid).children():
            if named in " ".join(child.cmdline()):
                found.append(child)
        if not found:
            raise psutil.NoSuchProcess(0, named)
        return self.chance.choice(found)
