"""Load from wrk: another process, in C, so that the client is not what is measured."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True)
class Load:
    """What a run of load showed. Latencies in milliseconds."""

    per_second: float
    p50_ms: float
    p99_ms: float
    failed: int


def require_wrk() -> None:
    if shutil.which("wrk") is None:
        sys.exit("the benchmark needs wrk: apt-get install wrk")


def post(url: str, body: Path, folder: Path, *, seconds: float, connections: int = 16) -> Load:
    """POSTs the file's bytes over and over on keep-alive connections."""
    script = folder / "post.lua"
    script.write_text(
        f'local f = io.open("{body}", "rb")\nwrk.body = f:read("*a")\nf:close()\n'
        'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
    )
    run = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency", "-s", str(script), url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    failed = 0
    if found := re.search(r"Non-2xx or 3xx responses: (\d+)", run):
        failed += int(found[1])
    if found := re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", run):
        failed += sum(int(n) for n in found.groups())
    rate = re.search(r"Requests/sec:\s+([\d.]+)", run)
    assert rate, run
    return Load(float(rate[1]), _latency(run, "50%"), _latency(run, "99%"), failed)


def _latency(run: str, percentile: str) -> float:
    found = re.search(rf"{percentile}\s+([\d.]+)(us|ms|s)\b", run)
    assert found, run
    return float(found[1]) * _UNITS[found[2]]
