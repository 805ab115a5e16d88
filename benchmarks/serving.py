"""`make bench`: Rebento's serving path beside servers made by hand, all in one run.

One worker each, 16 keep-alive connections, the same RandomForest(200) behind PCA(10) and a scaler, the
same row. Every server is measured in several rounds in turn; the table shows medians, and ratios within
the run, because machines differ.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import psutil
from rich.console import Console
from rich.table import Table
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.load import Load, post, require_wrk
from benchmarks.servers import BIN, ROOT, free_port, running, uvicorn
from runner.rows import RowChecker
from training.embedding import block_frame, fit_pipeline
from use_cases.derive import derive_contract, frame_rows
from use_cases.source import load_rows
from use_cases.use_case import SHIPPED, read_use_case

USE_CASE = """\
source: {loader: "use_cases.doctor_visits.loader:person_years"}
target: doctor_visit
positive: "yes"
id: person
time: year
embedding: {kind: pca, components: 10}
candidates: {random_forest: {n_estimators: 200, min_samples_leaf: 1}}
"""


@dataclass(frozen=True)
class Bench:
    """Everything the servers need, in one folder."""

    folder: Path
    row: Path
    environment: dict[str, str]
    handmade: dict[str, str]

    @property
    def log(self) -> Path:
        return self.folder / "servers.log"


def prepare(folder: Path) -> Bench:
    """Trains the forest for Rebento, and the same scikit-learn steps as a pickle for the others."""
    (folder / "use_cases" / "bench_forest").mkdir(parents=True)
    (folder / "use_cases" / "bench_forest" / "use_case.yaml").write_text(USE_CASE)
    environment = {
        "REBENTO_HOME": str(folder / "var"),
        "REBENTO_USE_CASES": str(folder / "use_cases"),
        "REBENTO_USE_CASE": "bench_forest",
        "REBENTO_WORKERS": "1",
    }
    subprocess.run([BIN / "rebento", "train"], env={**os.environ, **environment}, check=True)
    use_case = read_use_case("bench_forest", [folder / "use_cases", SHIPPED])
    rows = load_rows(use_case, folder)
    contract = derive_contract(use_case, rows)
    checked = RowChecker(contract).check(frame_rows(contract, rows))
    embedding = fit_pipeline(contract, use_case.embedding, checked, 0)
    model = Pipeline(
        [
            ("embedding", embedding),
            ("scaler", StandardScaler()),
            ("forest", RandomForestClassifier(200, random_state=0)),
        ]
    )
    frame = block_frame(contract, checked)
    model.fit(frame, rows[use_case.target])
    joblib.dump(model, folder / "pipeline.joblib")
    example = {name: value for name, value in contract.example_row().items()}
    (folder / "row.json").write_text(json.dumps({"rows": [example]}))
    handmade = {
        "BENCH_PIPELINE": str(folder / "pipeline.joblib"),
        "BENCH_COLUMNS": ",".join(frame.columns),
    }
    return Bench(folder, folder / "row.json", environment, handmade)


@contextmanager
def servers(bench: Bench) -> Iterator[dict[str, str]]:
    """Starts all five; name -> the URL to post to."""
    ports = [free_port() for _ in range(5)]
    api = {"REBENTO_API_PORT": str(ports[3])}
    tag = _production_tag(bench)
    bare = {
        **bench.environment,
        "BENTOML_HOME": str(bench.folder / "var" / "bentoml"),
        "REBENTO_HOME": str(bench.folder / "bare"),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    plain = {**bench.handmade, "BENCH_BENTOML": "1", "BENTOML_DO_NOT_TRACK": "True"}
    commands: dict[str, tuple[list[str], dict[str, str]]] = {
        "bare ASGI echo": (uvicorn("benchmarks.handmade:echo", ports[0]), {}),
        "FastAPI + joblib": (
            uvicorn("benchmarks.handmade:fastapi_joblib", ports[1], "--factory"),
            bench.handmade,
        ),
        "@bentoml.api + scikit-learn": (
            [str(BIN / "bentoml"), "serve", "benchmarks.handmade:Plain", "--port", str(ports[2])],
            plain,
        ),
        "Rebento, rebento up": ([str(BIN / "rebento"), "up"], {**bench.environment, **api}),
        "Rebento, bentoml serve": (
            [str(BIN / "bentoml"), "serve", tag, "--port", str(ports[4])],
            bare,
        ),
    }
    with _all_running(bench, list(commands.values()), ports):
        yield {name: f"http://127.0.0.1:{port}/predict" for name, port in zip(commands, ports, strict=True)}


@contextmanager
def _all_running(
    bench: Bench, commands: list[tuple[list[str], dict[str, str]]], ports: list[int]
) -> Iterator[None]:
    if not commands:
        yield
        return
    (command, environment), *others = commands
    url = f"http://127.0.0.1:{ports[0]}/predict"
    with running(command, url, bench.row, environment, bench.log), _all_running(bench, others, ports[1:]):
        yield


def measure_servers(bench: Bench, rounds: int, seconds: float) -> Table:
    loads: dict[str, list[Load]] = defaultdict(list)
    with servers(bench) as urls:
        for url in urls.values():
            post(url, bench.row, bench.folder, seconds=2)
        for _ in range(rounds):
            for name, url in urls.items():
                loads[name].append(post(url, bench.row, bench.folder, seconds=seconds))
    table = Table(title=f"One row a request, 16 connections, medians of {rounds} rounds of {seconds:g} s")
    for heading in ("server", "requests/s", "of the echo", "x FastAPI", "p50 ms", "p99 ms", "failed"):
        table.add_column(heading, justify="left" if heading == "server" else "right")
    rates = {name: statistics.median(load.per_second for load in found) for name, found in loads.items()}
    for name, found in loads.items():
        table.add_row(
            name,
            f"{rates[name]:,.0f}",
            f"{rates[name] / rates['bare ASGI echo']:.3f}",
            f"{rates[name] / rates['FastAPI + joblib']:.1f}",
            f"{statistics.median(load.p50_ms for load in found):.2f}",
            f"{statistics.median(load.p99_ms for load in found):.2f}",
            str(sum(load.failed for load in found)),
        )
    return table


def measure_rest(bench: Bench) -> Table:
    table = Table(title="Rebento alone, rebento up, one worker")
    table.add_column("what")
    table.add_column("value", justify="right")
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    environment = {**bench.environment, "REBENTO_API_PORT": str(port)}
    command = [str(BIN / "rebento"), "up"]
    with running(command, f"{base}/predict", bench.row, environment, bench.log) as (process, seconds):
        table.add_row("seconds from `rebento up` to the first answer, second start", f"{seconds:.2f}")
        table.add_row("memory of the worker after its first answer, MiB", f"{_worker_mib(process.pid):.0f}")
        _wait_for_quiet(process.pid)
        row = json.loads(bench.row.read_bytes())["rows"][0]
        many = json.dumps({"rows": [row] * 10_000}).encode()
        _call(f"{base}/predict", many)
        times = []
        for _ in range(5):
            began = time.perf_counter()
            _call(f"{base}/predict", many)
            times.append(time.perf_counter() - began)
        table.add_row("rows/s in 10,000-row requests", f"{10_000 / statistics.median(times):,.0f}")
        answer = _call(f"{base}/predict", bench.row.read_bytes())
        feedback = bench.folder / "feedback.json"
        feedback.write_text(
            json.dumps(
                {"feedback": [{"prediction_id": answer["predictions"][0]["prediction_id"], "target": "yes"}]}
            )
        )
        load = post(f"{base}/feedback", feedback, bench.folder, seconds=5)
        table.add_row("feedback/s, one a request, durable, 16 connections", f"{load.per_second:,.0f}")
        table.add_row("feedback p99 ms", f"{load.p99_ms:.1f}")
        table.add_row("memory of the worker after all this, MiB", f"{_worker_mib(process.pid):.0f}")
    return table


def _wait_for_quiet(pid: int, seconds: float = 60) -> None:
    """Until trainer, pages and reporter have started: they take a core for some seconds."""
    deadline = time.monotonic() + seconds
    before = _cpu_seconds(pid)
    while time.monotonic() < deadline:
        time.sleep(1)
        now = _cpu_seconds(pid)
        if now - before < 0.1:
            return
        before = now


def _cpu_seconds(pid: int) -> float:
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _worker_mib(pid: int) -> float:
    (worker,) = [p for p in psutil.Process(pid).children() if "runner.worker" in " ".join(p.cmdline())]
    return float(worker.memory_full_info().pss) / 2**20


def _production_tag(bench: Bench) -> str:
    (folder,) = (bench.folder / "var" / "bentoml" / "bentos" / "bench_forest").glob("*/")
    return f"bench_forest:{folder.name}"


def _call(url: str, body: bytes) -> Any:
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6)
    arguments = parser.parse_args()
    require_wrk()
    os.chdir(ROOT)
    out = Console(width=110)
    with tempfile.TemporaryDirectory(prefix="rebento-bench-") as folder:
        bench = prepare(Path(folder))
        out.print(measure_servers(bench, arguments.rounds, arguments.seconds))
        out.print(measure_rest(bench))


if __name__ == "__main__":
    main()
