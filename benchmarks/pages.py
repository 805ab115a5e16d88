"""`make bench`: how long every page takes on the server, and what it weighs with all that it loads.

The real process of the pages, beside the real API, on a database with months of use in it; one visitor on one
connection, as a browser asks. Fails where a page's p95 passes 50 ms, or its weight 100 kB.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table
from sqlalchemy import update

from benchmarks.history import Amounts, fill
from benchmarks.servers import BIN, free_port, running
from storage import schema
from storage.database import Database
from storage.open_predictions import search_predictions
from storage.reports import last_report
from storage.runs import runs
from storage.versions import versions
from use_cases.use_case import SHIPPED, read_use_case

MOST_P95_MS = 50.0
MOST_BYTES = 100_000
_USE_CASE = "doctor_visits"
_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')
_LOADED = re.compile(r'(?:href|src)="(/static/[^"]+)"')


@dataclass(frozen=True)
class Measured:
    """One page: milliseconds as its visitor waits, bytes as they were sent."""

    path: str
    p50_ms: float
    p95_ms: float
    page_bytes: int
    all_bytes: int

    @property
    def misses(self) -> bool:
        return self.p95_ms > MOST_P95_MS or self.all_bytes >= MOST_BYTES


@contextmanager
def seeded_pages(folder: Path, amounts: Amounts) -> Iterator[tuple[str, str, Path]]:
    """Trains, makes up a past, serves the pages and the API; the addresses of both, and the home."""
    home = folder / "var"
    environment = environment_of(home)
    case = folder / "use_cases" / _USE_CASE
    case.mkdir(parents=True)
    shipped = (SHIPPED / _USE_CASE / "use_case.yaml").read_text(encoding="utf-8")
    # One candidate: how a model was found is of no matter here.
    (case / "use_case.yaml").write_text(f"{shipped}\ncandidates: {{hist_gradient_boosting: {{}}}}\n")
    shutil.copy(SHIPPED / _USE_CASE / "loader.py", case)
    subprocess.run([BIN / "rebento", "train"], env={**os.environ, **environment}, check=True)
    fill(home, environment["REBENTO_DATABASE_URL"], read_use_case(_USE_CASE, [case.parent]), folder, amounts)
    with serving_pages(environment, folder / "servers.log") as (address, api):
        yield address, api, home


def environment_of(home: Path) -> dict[str, str]:
    return {
        "REBENTO_HOME": str(home),
        "REBENTO_USE_CASES": str(home.parent / "use_cases"),
        "REBENTO_USE_CASE": _USE_CASE,
        "REBENTO_DATABASE_URL": f"sqlite:///{home / 'rebento.sqlite'}",
        "BENTOML_HOME": str(home / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
    }


@contextmanager
def serving_pages(environment: dict[str, str], log: Path) -> Iterator[tuple[str, str]]:
    """The pages and the API of an installation: the addresses."""
    database = Database.open(environment["REBENTO_DATABASE_URL"])
    try:
        with database.reading() as connection:
            tag = next(one.tag for one in versions(connection, _USE_CASE) if one.stage == "Production")
    finally:
        database.close()
    api, web = free_port(), free_port()
    ports = {"REBENTO_API_PORT": str(api), "REBENTO_WEB_PORT": str(web)}
    serve = [str(BIN / "bentoml"), "serve", tag, "--port", str(api)]
    with (
        running(serve, f"http://127.0.0.1:{api}/readyz", None, {**environment, **ports}, log),
        running(
            [str(BIN / "rebento"), "web"], f"http://127.0.0.1:{web}/", None, {**environment, **ports}, log
        ),
    ):
        yield f"http://127.0.0.1:{web}", f"http://127.0.0.1:{api}"


def paths(database_url: str, use_case: str = _USE_CASE) -> list[str]:
    """Every page, those of single things too."""
    database = Database.open(database_url)
    try:
        with database.reading() as connection:
            tags = [one.tag for one in versions(connection, use_case)]
            run = runs(connection, use_case)[1].run_id  # the first model's has no verdict
            report = last_report(connection, use_case)
            found = search_predictions(connection, use_case, limit=1)[0]
    finally:
        database.close()
    assert report is not None
    return [
        *("/", "/predict", "/predict?example=2", f"/predictions/{found.prediction_id}", "/files"),
        *("/feedback", f"/feedback?q={found.entity_id}", "/feedback/next"),
        *("/versions", f"/versions/{tags[0]}", f"/versions/compare?left={tags[0]}&right={tags[1]}"),
        *("/versions/rollback", f"/versions/{tags[1]}/promote", f"/versions/{tags[1]}/archive"),
        *("/versions/pause", "/versions/resume", "/runs", f"/runs/{run}"),
        *("/reports", f"/reports/{report.report_id}", "/settings", "/patterns", "/service", "/sign-in"),
    ]


def measure(
    address: str, path: str, requests: int, before: Callable[[], None] = lambda: None, what: str = ""
) -> Measured:
    """Asks for a page again and again, on one connection. `before` each time changes what it shows."""
    with httpx.Client(base_url=address, trust_env=False, headers={"accept-encoding": "gzip"}) as visitor:
        for _ in range(5):
            page = visitor.get(path)
            page.raise_for_status()
        waited = []
        for _ in range(requests):
            before()
            began = time.perf_counter()
            visitor.get(path)
            waited.append((time.perf_counter() - began) * 1000)
        page_bytes = _weight(visitor, path)
        loaded = sum(_weight(visitor, one) for one in dict.fromkeys(_LOADED.findall(page.text)))
    percentiles = statistics.quantiles(waited, n=20)
    return Measured(what or path, statistics.median(waited), percentiles[18], page_bytes, page_bytes + loaded)


def _weight(visitor: httpx.Client, path: str) -> int:
    with visitor.stream("GET", path) as answer:
        return sum(len(piece) for piece in answer.iter_raw())


def a_label_came(database: Database) -> None:
    """What Home is drawn anew for."""
    with database.writing() as connection:
        connection.execute(
            update(schema.counters).values(last_known_at_ms=schema.counters.c.last_known_at_ms + 1)
        )


def uploaded(address: str, rows: list[dict[str, Any]]) -> str:
    """The page of a file that was uploaded, and not started."""
    written = io.StringIO()
    writer = csv.DictWriter(written, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    with httpx.Client(base_url=address, trust_env=False) as visitor:
        token = _TOKEN.search(visitor.get("/files").text)
        assert token is not None
        file = {"file": ("rows.csv", written.getvalue().encode(), "text/csv")}
        return str(visitor.post("/files", data={"csrf": token.group(1)}, files=file).headers["location"])


def table_of(found: list[Measured], title: str) -> Table:
    table = Table(title=title)
    for heading in ("page", "p50 ms", "p95 ms", "page kB", "with all it loads kB", ""):
        table.add_column(heading, justify="left" if heading in ("page", "") else "right")
    for one in found:
        table.add_row(
            shown(one.path),
            f"{one.p50_ms:.1f}",
            f"{one.p95_ms:.1f}",
            f"{one.page_bytes / 1000:.1f}",
            f"{one.all_bytes / 1000:.1f}",
            "TOO MUCH" if one.misses else "",
        )
    return table


def shown(path: str) -> str:
    """The path without ids.

    >>> shown("/versions/doctor_visits:20260301-120000-0badcafe/promote")
    '/versions/…/promote'
    """
    return re.sub(
        r"doctor_visits:[0-9a-f-]+|(?<=/)[0-9]{8}-[0-9a-f-]+|(?<=predictions/)\w+|(?<=q=).+|(?<=files/)\w+",
        "…",
        path,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=200)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rebento-bench-") as folder:
        amounts = Amounts()
        with seeded_pages(Path(folder), amounts) as (address, _, home):
            asked = paths(f"sqlite:///{home / 'rebento.sqlite'}")
            golden = next((home / "bentoml" / "models").glob("*/*/golden.json"))
            rows = json.loads(golden.read_text(encoding="utf-8"))["rows"]
            asked.insert(5, uploaded(address, rows * 50))
            found = [measure(address, path, arguments.requests) for path in asked]
            database = Database.open(environment_of(home)["REBENTO_DATABASE_URL"])
            label = partial(a_label_came, database)
            found.insert(1, measure(address, "/", arguments.requests, label, "/ after each label"))
            database.close()
    title = (
        f"Pages with {amounts.predictions:,} predictions and {amounts.feedbacks:,} feedbacks stored, "
        f"{arguments.requests} requests each"
    )
    Console(width=110).print(table_of(found, title))
    sys.exit(any(one.misses for one in found))


if __name__ == "__main__":
    main()
