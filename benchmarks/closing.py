"""Seconds from the k-th feedback to the first answer of the new Bento, and where they go; and from a person's
`rebento rollback` to the first of the old one. Fails where the way back takes longer than is promised.

A month whose users behave otherwise is streamed through a running service. The data is not part of the
project: give the folder that holds streamflow_seeds.zip as `--data`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.servers import BIN, ROOT, free_port, running
from examples.streamflow_month import users
from storage.database import Database
from storage.promotions import Promotion, promotions
from storage.runs import Run, runs
from use_cases.use_case import SHIPPED

USE_CASE = "streamflow_churn"
_WAIT_SECONDS = 180
#: What is promised of a rollback, the start of the command included.
BACK_SECONDS = 10


def measure_closing(data: Path, folder: Path, labels: int) -> Table:
    """Trains on month 0, streams `labels` users of month 1 (k as many), and splits what then happens."""
    with zipfile.ZipFile(data / "streamflow_seeds.zip") as archive:
        archive.extractall(folder / "data" / "streamflow")
    month = shutil.move(folder / "data/streamflow/month_001", folder)  # known only through the service
    shutil.copytree(SHIPPED / USE_CASE, folder / "use_cases" / USE_CASE)
    case = folder / "use_cases" / USE_CASE / "use_case.yaml"
    kept = [line for line in case.read_text().splitlines() if "month_001" not in line]
    # Only the k-th feedback asks: realised quality would ask long before.
    policy = f"feedbacks_per_training: {labels}\n  quality_margin: 1"
    case.write_text("\n".join(kept).replace("feedbacks_per_training: 1400", policy))
    port = free_port()
    environment = {
        "REBENTO_HOME": str(folder / "var"),
        "REBENTO_DATA": str(folder / "data"),
        "REBENTO_USE_CASES": str(folder / "use_cases"),
        "REBENTO_USE_CASE": USE_CASE,
        "REBENTO_API_PORT": str(port),
    }
    train = [str(BIN / "rebento"), "train", "--as-of", "2024-01-31"]
    subprocess.run(train, env={**os.environ, **environment}, cwd=ROOT, check=True)
    rows = users(Path(month))[:labels]
    truths = [str(row.pop("churn_label")).lower() for row in rows]
    probe = folder / "row.json"
    probe.write_text(json.dumps({"rows": rows[:1]}))
    base = f"http://127.0.0.1:{port}"
    command = [str(BIN / "rebento"), "up"]
    with running(command, f"{base}/predict", probe, environment, folder / "server.log"):
        database = Database.open(f"sqlite:///{folder / 'var' / 'rebento.sqlite'}")
        old = _post(base, "/predict", {"rows": rows[:1]})["bento"]
        for start in range(0, labels, 50):
            answers = _post(base, "/predict", {"rows": rows[start : start + 50]})["predictions"]
            told = [
                {"prediction_id": answer["prediction_id"], "target": truth}
                for answer, truth in zip(answers, truths[start : start + 50], strict=True)
            ]
            _post(base, "/feedback", {"feedback": told})
        probed = {"rows": rows[:1]}
        kth = time.time()
        while (new := _post(base, "/predict", probed)["bento"]) == old:
            if time.time() - kth > _WAIT_SECONDS:
                raise SystemExit(f"nothing was promoted in {_WAIT_SECONDS} s; see {folder / 'server.log'}")
            time.sleep(0.01)
        answered = time.time()
        with database.reading() as connection:
            (promotion,) = promotions(connection, USE_CASE)[:1]
            (run,) = [one for one in runs(connection, USE_CASE) if one.bento == promotion.tag]
        database.close()
        asked = time.time()
        rollback = [str(BIN / "rebento"), "rollback"]
        subprocess.run(rollback, env={**os.environ, **environment}, cwd=ROOT, check=True)
        while _post(base, "/predict", probed)["bento"] == new:
            if time.time() - asked > BACK_SECONDS:
                raise SystemExit(f"{new} still answers {BACK_SECONDS} s after the rollback was asked for")
            time.sleep(0.01)
        back = time.time()
    table = _table(kth, answered, run, promotion, labels)
    table.add_row("from `rebento rollback` to the first old answer", f"{back - asked:.2f}")
    return table


def _table(kth: float, answered: float, run: Run, promotion: Promotion, labels: int) -> Table:
    started, ended = (run.started_at_ms or 0) / 1000, (run.finished_at_ms or 0) / 1000
    split: dict[str, float] = json.loads(run.verdict_json or "{}").get("seconds", {})
    parts: list[tuple[str, float]] = [
        ("waiting for the trainer", started - kth),
        *((name, float(seconds)) for name, seconds in split.items()),
        ("starting the new workers", (promotion.accepted_at_ms or 0) / 1000 - ended),
        ("to the first answer", answered - (promotion.accepted_at_ms or 0) / 1000),
    ]
    table = Table(title=f"From the {labels:,}th feedback to the first answer of the new Bento, one worker")
    table.add_column("part")
    table.add_column("seconds", justify="right")
    for name, seconds in parts:
        table.add_row(name, f"{seconds:.2f}")
    table.add_row("all", f"{answered - kth:.2f}", end_section=True)
    return table


def _post(base: str, path: str, body: dict[str, Any]) -> Any:
    sent = urllib.request.Request(
        base + path, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(sent, timeout=60) as response:
        return json.load(response)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--labels", type=int, default=2_800, help="k, and the users streamed")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="rebento-bench-") as folder:
        Console(width=110).print(measure_closing(given.data, Path(folder), given.labels))


if __name__ == "__main__":
    main()
