"""A report on 100,000 production rows of 30 columns beside a service that answers all the while.

Prints the p99 of /predict with a report running and without, in turn, and the report's seconds and peak
memory. Exits 1 where the memory reaches 1.5 GiB.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.load import Load, post, require_wrk
from benchmarks.servers import BIN, ROOT, free_port, running
from loop.places import model_folder
from runner.package import Package
from storage.database import Database
from storage.feedback import Feedback, record_feedback
from storage.predictions import Prediction, record_predictions
from storage.versions import champion
from use_cases.derive import frame_rows

NAME = "wide"
MOST_GIB = 1.5
_NUMBERS, _CATEGORIES = 20, 10
_DAY = "2026-01-15"
"""The day on which all rows were answered: the load's own answers are of another."""
_USE_CASE = """\
source: {parquet: wide.parquet}
target: answer
positive: "yes"
embedding: {kind: pca, components: 10}
candidates: {logistic_regression: {}}
policy: {feedbacks_per_training: 1000000000, report_hours: null}
"""
_CHUNK = 5_000


@dataclass(frozen=True)
class Found:
    """What one round showed."""

    quiet: Load
    busy: list[Load]
    """While the report was made."""
    seconds: float
    peak_gib: float
    line: str


def measure(folder: Path, rows: int, rounds: int, seconds: float, connections: int) -> list[Found]:
    """Trains a small model of 30 columns, stores `rows` answers, and makes `rounds` reports under load."""
    environment, body = _prepared(folder, rows)
    port = free_port()
    url = f"http://127.0.0.1:{port}/predict"
    command = [str(BIN / "rebento"), "up"]
    with running(command, url, body, {**environment, "REBENTO_API_PORT": str(port)}, folder / "server.log"):
        post(url, body, folder, seconds=2, connections=connections)
        found = []
        for _ in range(rounds):
            quiet = post(url, body, folder, seconds=seconds, connections=connections)
            found.append(_under_load(environment, url, body, folder, seconds, connections, quiet))
        return found


def _under_load(
    environment: dict[str, str],
    url: str,
    body: Path,
    folder: Path,
    seconds: float,
    connections: int,
    quiet: Load,
) -> Found:
    began = time.monotonic()
    with subprocess.Popen(
        [BIN / "rebento", "report", "--from", _DAY, "--to", _DAY],
        env={**os.environ, **environment},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as report:
        peak = _Peak(report.pid)
        busy = []
        while report.poll() is None:
            peak.look()
            load = post(url, body, folder, seconds=min(seconds, 2.0), connections=connections)
            peak.look()
            if report.poll() is None:  # a load that outlasted the report says less of it
                busy.append(load)
        took = time.monotonic() - began
        said, complained = report.communicate()
    if report.returncode:
        raise SystemExit(f"the report failed: {complained}")
    return Found(quiet, busy, took, peak.gib, said.splitlines()[0])


class _Peak:
    """The largest resident memory of the report's processes, as the kernel keeps it."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.gib = 0.0

    def look(self) -> None:
        try:
            for child in self._process.children(recursive=True):
                status = Path(f"/proc/{child.pid}/status").read_text()
                (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")] or ["VmHWM: 0"]
                self.gib = max(self.gib, int(line.split()[1]) / 2**20)
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            return


def _prepared(folder: Path, rows: int) -> tuple[dict[str, str], Path]:
    (folder / "use_cases" / NAME).mkdir(parents=True)
    (folder / "use_cases" / NAME / "use_case.yaml").write_text(_USE_CASE)
    (folder / "data").mkdir()
    _wide(6_000, seed=0).to_parquet(folder / "data" / "wide.parquet")
    environment = {
        "REBENTO_HOME": str(folder / "var"),
        "REBENTO_DATA": str(folder / "data"),
        "REBENTO_USE_CASES": str(folder / "use_cases"),
        "REBENTO_USE_CASE": NAME,
        "REBENTO_WORKERS": "1",
    }
    subprocess.run([BIN / "rebento", "train"], env={**os.environ, **environment}, cwd=ROOT, check=True)
    home = folder / "var"
    database = Database.open(f"sqlite:///{home / 'rebento.sqlite'}")
    with database.reading() as connection:
        standing = champion(connection, NAME)
    assert standing is not None
    package = Package.open(model_folder(home, standing.model_tag))
    for start in range(0, rows, _CHUNK):
        _store(database, package, _wide(min(_CHUNK, rows - start), seed=1 + start), start)
    database.close()
    body = folder / "row.json"
    body.write_text(json.dumps({"rows": [package.contract.example_row()]}))
    return environment, body


def _wide(rows: int, seed: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    columns: dict[str, np.ndarray] = {
        f"number_{place}": generator.normal(place, 1 + place, rows) for place in range(_NUMBERS)
    }
    for place in range(_CATEGORIES):
        columns[f"category_{place}"] = generator.choice([f"value {i}" for i in range(3 + place)], rows)
    is_yes = columns["number_0"] + generator.normal(0, 1, rows) > 0
    return pd.DataFrame({**columns, "answer": np.where(is_yes, "yes", "no")})


def _store(database: Database, package: Package, frame: pd.DataFrame, start: int) -> None:
    """Answers to the rows; every fifth has its truth."""
    sent = frame_rows(package.contract, frame)
    checked = package.checker.check(sent)
    answers = package.graph.answer(checked.numbers, checked.categories)
    first_ms = int(datetime.fromisoformat(_DAY).replace(tzinfo=UTC).timestamp() * 1000)
    stored = []
    for place, row in enumerate(sent):
        shares = dict(zip(package.contract.classes, map(float, answers.probabilities[place]), strict=True))
        stored.append(
            Prediction(
                prediction_id=f"p{start + place:08}",
                use_case=NAME,
                bento=package.info.bento,
                predicted_at_ms=first_ms + (start + place) // 4,
                row_json=orjson.dumps(row).decode(),
                vector=answers.vectors[place].tobytes(),
                label=answers.labels[place],
                probabilities_json=orjson.dumps(shares).decode(),
                confidence=max(shares.values()),
                entity_id=None,
                event_time=None,
                origin="request",
                is_holdout=False,
            )
        )
    truths = frame["answer"].tolist()
    told = [
        Feedback(one.prediction_id, truths[place], None, None, one.predicted_at_ms + 3_600_000, None)
        for place, one in enumerate(stored)
        if place % 5 == 0
    ]
    with database.writing(durable=False) as connection:
        record_predictions(connection, stored, 10**9)
        record_feedback(connection, NAME, told, 10**9)


def table(found: Sequence[Found], rows: int) -> Table:
    drawn = Table(title=f"/predict beside a report on {rows:,} rows of {_NUMBERS + _CATEGORIES} columns")
    drawn.add_column("")
    for heading in ("requests/s", "p50 ms", "p99 ms", "failed"):
        drawn.add_column(heading, justify="right")
    for name, loads in (
        ("no report", [one.quiet for one in found]),
        ("a report running", [load for one in found for load in one.busy]),
    ):
        drawn.add_row(
            name,
            f"{statistics.median(load.per_second for load in loads):,.0f}",
            f"{statistics.median(load.p50_ms for load in loads):.2f}",
            f"{statistics.median(load.p99_ms for load in loads):.2f}",
            str(sum(load.failed for load in loads)),
        )
    return drawn


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of load without a report, a round")
    parser.add_argument("--connections", type=int, default=4)
    given = parser.parse_args(arguments)
    require_wrk()
    with tempfile.TemporaryDirectory(prefix="rebento-bench-") as folder:
        found = measure(Path(folder), given.rows, given.rounds, given.seconds, given.connections)
    console = Console(width=110)
    console.print(table(found, given.rows))
    seconds = statistics.median(one.seconds for one in found)
    peak = max(one.peak_gib for one in found)
    console.print(f"the report: {seconds:.1f} s, {peak:.2f} GiB at its peak (at most {MOST_GIB}); it said:")
    console.print(found[-1].line, markup=False)
    return 0 if peak < MOST_GIB else 1


if __name__ == "__main__":
    sys.exit(main())
