"""A PostgreSQL server of the tests' own, on loopback, gone when they end."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.homes import free_port


def binaries() -> Path:
    """The folder of initdb and pg_ctl, the newest installed. Raises FileNotFoundError where none is."""
    packaged = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True
    )
    on_path = shutil.which("initdb")
    folders = [*packaged, *([Path(on_path).resolve().parent] if on_path else [])]
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    raise FileNotFoundError("the storage tests need PostgreSQL: install it (apt-get install postgresql)")


@dataclass
class Server:
    """A server that may be stopped and started again on its port."""

    folder: Path
    port: int = 0

    @property
    def url(self) -> str:
        """Of its database `postgres`."""
        return f"postgresql+psycopg://rebento@127.0.0.1:{self.port}/postgres"

    def make(self) -> None:
        """Lays out its files and starts it."""
        made = self._run(
            *("initdb", "--pgdata", str(self.folder / "data"), "--username", "rebento", "--auth", "trust"),
            *("--encoding", "UTF8", "--locale", "C", "--no-sync"),
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stdout.decode()}")
        for _ in range(5):  # another process may take the free port first
            self.port = free_port()
            if self.start():
                return
        raise RuntimeError(f"PostgreSQL does not start: {(self.folder / 'server.log').read_text()}")

    def start(self) -> bool:
        options = f"-h 127.0.0.1 -p {self.port} -k {self.folder} -c fsync=off -c max_connections=100"
        started = self._control(
            "start", "--timeout", "60", "--log", str(self.folder / "server.log"), "-o", options
        )
        return started.returncode == 0

    def stop(self) -> None:
        """As if its machine had lost power."""
        self._control("stop", "--mode", "immediate")

    def _control(self, verb: str, *options: str) -> subprocess.CompletedProcess[bytes]:
        return self._run("pg_ctl", verb, "--wait", "--pgdata", str(self.folder / "data"), *options)

    def _run(self, tool: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        user = _unprivileged()
        command = (str(binaries() / tool), *arguments)
        # To files: a pipe would stay open in the server for as long as it runs.
        with tempfile.TemporaryFile() as output:
            ended = subprocess.run(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                user=None if user is None else user.pw_uid,
                group=None if user is None else user.pw_gid,
                extra_groups=None if user is None else [],
            )
            output.seek(0)
            return subprocess.CompletedProcess(command, ended.returncode, output.read())


AnyServer = TypeVar("AnyServer", bound=Server)


@contextmanager
def server() -> Iterator[str]:
    """Runs a new server and gives the URL of its database `postgres`."""
    with restartable() as running:
        yield running.url


@contextmanager
def restartable() -> Iterator[Server]:
    """Runs a new server that the test may stop and start."""
    with run(Server) as running:
        yield running


@contextmanager
def run(kind: type[AnyServer]) -> Iterator[AnyServer]:
    """Runs a new server of a kind."""
    user = _unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="rebento-postgres-"))
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    running = kind(folder)
    try:
        running.make()
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> pwd.struct_passwd | None:
    """Who the server runs as: PostgreSQL refuses root. None: the user of the tests."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]
