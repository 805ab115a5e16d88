"""Servers under measurement, each started as a user would start it."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent


def free_port() -> int:
    """Below the range from which the kernel takes the ports of outgoing connections: nobody takes it soon."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


@contextmanager
def running(
    command: Sequence[str], url: str, body: Path | None, environment: Mapping[str, str], log: Path
) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """The process and the seconds until it answered `body` at `url`; ended by SIGTERM."""
    began = time.monotonic()
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={
                **os.environ,
                "REBENTO_WEB_PORT": str(free_port()),
                "REBENTO_REPORTING_PORT": str(free_port()),
                **environment,
            },
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        while not _answers(url, body):
            if process.poll() is not None or time.monotonic() - began > 90:
                raise RuntimeError(f"{command} did not come up; see {log}:\n{log.read_text()[-2000:]}")
            time.sleep(0.02)
        yield process, time.monotonic() - began
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(url: str, body: Path | None) -> bool:
    data = None if body is None else body.read_bytes()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def uvicorn(app: str, port: int, *options: str) -> list[str]:
    quiet = ("--no-access-log", "--log-level", "warning", "--http", "httptools", "--loop", "uvloop")
    return [str(BIN / "uvicorn"), app, "--port", str(port), *quiet, *options]
