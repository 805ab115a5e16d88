"""`python -m benchmarks.swap`: failed requests and latencies while Bentos are swapped, beside steady state.

One worker, 16 kept-alive connections from wrk, a logistic model of doctor_visits; in each round a time
without a swap and one in which a promotion is asked for at the start. Both are from one run, because
machines differ.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.load import Load, post, require_wrk
from benchmarks.servers import BIN, ROOT, free_port, running
from loop.clock import now_ms
from storage.database import Database
from storage.promotions import Promotion, promotions, request_promotion
from storage.versions import champion, versions
from use_cases.derive import derive_contract
from use_cases.source import load_rows
from use_cases.use_case import SHIPPED, read_use_case

NAME = "bench_swap"
USE_CASE = """\
source: {loader: "use_cases.doctor_visits.loader:person_years"}
target: doctor_visit
positive: "yes"
id: person
time: year
embedding: {kind: pca, components: 10}
candidates: {logistic_regression: {}}
policy: POLICY
"""


def measure_swap(folder: Path, rounds: int = 3, seconds: float = 12) -> Table:
    """Builds two Bentos in `folder` and swaps them to and fro under load."""
    environment, row = prepare(folder)
    port = free_port()
    url = f"http://127.0.0.1:{port}/predict"
    environment["REBENTO_API_PORT"] = str(port)
    steady: list[Load] = []
    swapped: list[Load] = []
    starting: list[float] = []
    database = Database.open(f"sqlite:///{folder / 'var' / 'rebento.sqlite'}")
    with closing(database), running([BIN / "rebento", "up"], url, row, environment, folder / "up.log"):
        post(url, row, folder, seconds=3)
        for _ in range(rounds):
            steady.append(post(url, row, folder, seconds=seconds))
            asked = ask_for_the_other(database)
            swapped.append(post(url, row, folder, seconds=seconds))
            done = when_done(database, asked)
            assert done.accepted_at_ms is not None
            starting.append((done.accepted_at_ms - done.requested_at_ms) / 1000)
    table = Table(title=f"A swap under load, 16 connections, {rounds} rounds of {seconds:g} s each")
    for heading in ("", "requests/s", "p50 ms", "p99 ms", "requests", "failed"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, loads in (("steady", steady), ("with a swap", swapped)):
        table.add_row(
            name,
            f"{statistics.median(load.per_second for load in loads):,.0f}",
            f"{statistics.median(load.p50_ms for load in loads):.2f}",
            f"{statistics.median(load.p99_ms for load in loads):.2f}",
            f"{sum(load.per_second * seconds for load in loads):,.0f}",
            str(sum(load.failed for load in loads)),
        )
    table.caption = (
        "the new Bento was in Production "
        f"{statistics.median(starting):.1f} s after it was asked for (median), loading at low priority"
    )
    return table


def prepare(folder: Path, **policy: float) -> tuple[dict[str, str], Path]:
    """Builds two Bentos in `folder`. Gives the environment that serves them, and a request's body.

    `policy`: what differs from the use case's own, of which the probation of 3 s is one.
    """
    case = folder / "use_cases" / NAME
    case.mkdir(parents=True)
    (case / "use_case.yaml").write_text(
        USE_CASE.replace("POLICY", json.dumps({"probation_seconds": 3, **policy}))
    )
    environment = {
        "REBENTO_HOME": str(folder / "var"),
        "REBENTO_USE_CASES": str(folder / "use_cases"),
        "REBENTO_USE_CASE": NAME,
        "REBENTO_WORKERS": "1",
    }
    for _ in range(2):
        subprocess.run([BIN / "rebento", "train"], env={**os.environ, **environment}, check=True)
    use_case = read_use_case(NAME, [folder / "use_cases", SHIPPED])
    contract = derive_contract(use_case, load_rows(use_case, folder))
    row = folder / "row.json"
    row.write_text(json.dumps({"rows": [dict(contract.example_row())]}))
    return environment, row


def ask_for_the_other(database: Database) -> Promotion:
    """Asks for the Bento that is not in Production."""
    with database.writing() as connection:
        standing = champion(connection, NAME)
        other = next(one for one in versions(connection, NAME) if standing and one.tag != standing.tag)
        return request_promotion(
            connection, NAME, other.tag, kind="promotion", actor="person", reason="bench", at_ms=now_ms()
        )


def when_done(database: Database, asked: Promotion) -> Promotion:
    """The promotion once its probation is over. Raises RuntimeError where it failed or takes a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with database.reading() as connection:
            found = next(p for p in promotions(connection, NAME) if p.promotion_id == asked.promotion_id)
        if found.state == "done":
            return found
        if found.state == "failed":
            raise RuntimeError(f"the promotion failed: {found.error}")
        time.sleep(0.1)
    raise RuntimeError(f"the promotion is still {found.state}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=12)
    arguments = parser.parse_args()
    require_wrk()
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory(prefix="rebento-bench-") as folder:
        Console(width=110).print(measure_swap(Path(folder), arguments.rounds, arguments.seconds))


if __name__ == "__main__":
    main()
