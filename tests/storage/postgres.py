"""A PostgreSQL server of the tests' own, on loopback, gone when they end."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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


@contextmanager
def server() -> Iterator[str]:
    """Runs a new server and gives the URL of its database `postgres`."""
    tools = binaries()
    user = _unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="rebento-postgres-"))
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    data, said = folder / "data", folder / "server.log"

    def run(*command: str) -> subprocess.CompletedProcess[bytes]:
        # To files: a pipe would stay open in the server for as long as it runs.
        with tempfile.TemporaryFile() as output:
            ended = subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                user=None if user is None else user.pw_uid,
                group=None if user is None else user.pw_gid,
                extra_groups=None if user is None else [],
            )
            output.seek(0)
            return subprocess.CompletedProcess(command, ended.returncode, output.read())

    try:
        made = run(
            *(str(tools / "initdb"), "--pgdata", str(data), "--username", "rebento", "--auth", "trust"),
            *("--encoding", "UTF8", "--locale", "C", "--no-sync"),
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stdout.decode()}")
        for _ in range(5):  # another process may take the free port first
            port = _free_port()
            options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off -c max_connections=60"
            started = run(
                *(str(tools / "pg_ctl"), "start", "--wait", "--timeout", "60", "--pgdata", str(data)),
                *("--log", str(said), "--options", options),
            )
            if started.returncode == 0:
                break
        else:
            raise RuntimeError(f"PostgreSQL does not start: {started.stdout.decode()}{said.read_text()}")
        try:
            yield f"postgresql+psycopg://rebento@127.0.0.1:{port}/postgres"
        finally:
            run(str(tools / "pg_ctl"), "stop", "--mode", "immediate", "--pgdata", str(data))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> pwd.struct_passwd | None:
    """Who the server runs as: PostgreSQL refuses root. None: the user of the tests."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
