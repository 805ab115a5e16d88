"""`python -m benchmarks.scrape`: what a scrape of /metrics costs before and after a hundred swaps of Bentos.

Two logistic models of doctor_visits take each other's place by real promotions with a probation of one
second; each generation of workers answers some calls. Fails where a call is lost from the counters, or a
scrape takes 25 ms longer than before.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.servers import BIN, ROOT, free_port, running
from benchmarks.swap import NAME, ask_for_the_other, prepare, when_done
from storage.database import Database

_SCRAPES = 40
_CALLS = 20
_COUNTED = 'api_requests_total{route="/predict",status="200"}'
_MOST_MORE_MILLISECONDS = 25


@dataclass(frozen=True)
class Scrape:
    """What scrapes cost and brought."""

    milliseconds: float
    """Median."""
    worst_milliseconds: float
    series: int
    bytes: int
    files: int
    """In the folder of the workers' counters."""
    counted: float
    """Predictions' calls, by the counters."""


@contextmanager
def served(environment: dict[str, str], row: Path, folder: Path) -> Iterator[str]:
    """The address of `rebento serve`."""
    port = free_port()
    own = {**environment, "REBENTO_API_PORT": str(port)}
    base = f"http://127.0.0.1:{port}"
    with running([BIN / "rebento", "serve"], f"{base}/predict", row, own, folder / "serve.log"):
        yield base


def scraped(base: str) -> Scrape:
    """The median of several scrapes."""
    seconds = []
    for _ in range(_SCRAPES):
        began = time.perf_counter()
        with urllib.request.urlopen(f"{base}/metrics", timeout=30) as answer:
            text = answer.read()
        seconds.append(time.perf_counter() - began)
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    counted = next(float(line.split()[-1]) for line in lines if line.startswith(_COUNTED))
    milliseconds = [1000 * one for one in seconds]
    return Scrape(
        statistics.median(milliseconds), max(milliseconds), len(lines), len(text), _files(base), counted
    )


def measure_scrapes(folder: Path, swaps: int) -> tuple[Table, list[str]]:
    """Scrapes before and after so many swaps, and the promises that were not kept."""
    environment, row = prepare(folder, probation_seconds=1)
    with closing(Database.open(f"sqlite:///{folder / 'var' / 'rebento.sqlite'}")) as database:
        with served(environment, row, folder) as base:
            _call(base, row)
            before = scraped(base)
            for number in range(swaps):
                when_done(database, ask_for_the_other(database))
                _call(base, row)
                print(f"swap {number + 1} of {swaps}", end="\r", file=sys.stderr, flush=True)
            time.sleep(10)  # the last workers leave; what they counted is folded every five seconds
            after = scraped(base)
    table = Table(title=f"GET /metrics of {NAME} before and after {swaps} swaps, median of {_SCRAPES}")
    for heading in ("", "ms", "worst ms", "series", "bytes", "counter files", "calls counted"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, one in (("before", before), ("after", after)):
        table.add_row(
            name,
            f"{one.milliseconds:.1f}",
            f"{one.worst_milliseconds:.1f}",
            str(one.series),
            f"{one.bytes:,}",
            str(one.files),
            f"{one.counted:.0f}",
        )
    table.caption = "60 ms of each is the other workers' turn to carry their counts over"
    broken = []
    if after.counted - before.counted != swaps * _CALLS:
        broken.append(f"{swaps * _CALLS} calls raised the counter by {after.counted - before.counted:g}")
    if after.milliseconds > before.milliseconds + _MOST_MORE_MILLISECONDS:
        broken.append(f"a scrape takes {after.milliseconds - before.milliseconds:.0f} ms longer")
    return table, broken


def _call(base: str, row: Path) -> None:
    for _ in range(_CALLS):
        request = urllib.request.Request(
            f"{base}/predict", row.read_bytes(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()


def _files(base: str) -> int:
    port = int(base.rpartition(":")[2])
    holder = next(
        one.pid for one in psutil.net_connections("tcp") if one.laddr.port == port and one.status == "LISTEN"
    )
    for child in psutil.Process(holder).children(recursive=True) or [psutil.Process(holder)]:
        folder = child.environ().get("PROMETHEUS_MULTIPROC_DIR")
        if folder:
            return len(list(Path(folder).glob("*.db")))
    raise RuntimeError(f"no worker behind {base} shares counters")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--swaps", type=int, default=100)
    arguments = parser.parse_args()
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory(prefix="rebento-bench-") as folder:
        table, broken = measure_scrapes(Path(folder), arguments.swaps)
    Console(width=110).print(table)
    if broken:
        sys.exit("; ".join(broken))


if __name__ == "__main__":
    main()
