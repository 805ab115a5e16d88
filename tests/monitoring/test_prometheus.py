"""A real Prometheus scrapes a real service: every expression of every rule, alert and panel returns data."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.grafana.panels import EVENTS
from scripts.dashboards import of_hosts
from tests.homes import BIN, Home, free_port, serving, wait_for
from tests.monitoring.expressions import FILES, alerts, panels, records, sides

pytestmark = pytest.mark.slow

#: Expressions that may have no data in a service that is well, each with its reason.
MAY_BE_EMPTY: dict[str, str] = {}  # none: the test asks, labels and reports until each has something to say


@contextmanager
def _prometheus(folder: Path, api_port: int, web_port: int) -> Iterator[str]:
    """Prometheus with the shipped rules and configuration, hurried and with these ports as targets."""
    config = yaml.safe_load((FILES / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(FILES / name) for name in config["rule_files"]]
    for name, port in (("runner", api_port), ("pages", web_port)):
        (folder / "targets").mkdir(exist_ok=True)
        (folder / "targets" / f"{name}.yml").write_text(f'- targets: ["127.0.0.1:{port}"]\n')
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    log = (folder / "prometheus.log").open("wb")
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=log,
        stderr=log,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def _asked(base: str, path: str, **parameters: str) -> Any:
    """What Prometheus says; nothing while it starts or is too busy to answer."""
    try:
        with urllib.request.urlopen(
            f"{base}{path}?{urllib.parse.urlencode(parameters)}", timeout=60
        ) as answer:
            return json.loads(answer.read())["data"]
    except urllib.error.HTTPError as error:
        if error.code == 503:  # it reads its files yet
            return {}
        raise AssertionError(f"{parameters}: {error.read().decode()}") from error
    except OSError:
        return {}


def test_every_expression_returns_data(trained: Home, tmp_path: Path, row: dict[str, Any]) -> None:
    api, web = free_port(), free_port()
    home = trained.copy(tmp_path / "home", REBENTO_WEB_PORT=str(web))
    with serving(home, [str(BIN / "rebento"), "up"], api) as server, _prometheus(tmp_path, api, web) as base:

        def is_up() -> bool:
            found = _asked(base, "/api/v1/targets").get("activeTargets", ())
            return [one["health"] for one in found] == ["up", "up"]

        def has_data(expr: str) -> bool:
            asked = of_hosts(expr).replace("$instance", ".*")  # as Grafana does where all are chosen
            return bool(_asked(base, "/api/v1/query", query=asked).get("result"))

        wait_for(is_up, "both targets to be scraped")
        # A counter that appears with a value has no rate: each series is there before it grows.
        for _ in range(3):
            answers = server.predict(*[row] * 60, {**row, "age": 900})
            told = [{"prediction_id": one["prediction_id"], "target": "yes"} for one in answers]
            assert server.call("/feedback", {"feedback": told}).status == 200
            urllib.request.urlopen(f"http://127.0.0.1:{web}/settings", timeout=30).read()
            wait_for(_later(base), "another scrape")
        home.rebento("report")
        wait_for(lambda: has_data("drift_share"), "the report")

        wanted = [record["record"] for record in records()]
        wanted += [side for alert in alerts() for side in sides(alert["expr"])]
        wanted += [side for _, expr, _ in EVENTS for side in sides(expr)]
        wanted += list(panels())
        assert len(wanted) > 70

        def empty() -> list[str]:
            return [expr for expr in dict.fromkeys(wanted) if expr not in MAY_BE_EMPTY and not has_data(expr)]

        deadline = time.monotonic() + 150
        while (left := empty()) and time.monotonic() < deadline:
            time.sleep(1)
        assert not left
        firing = _asked(base, "/api/v1/alerts")["alerts"]
        assert not [one for one in firing if one["labels"]["severity"] == "critical"], firing


def _later(base: str) -> Any:
    """True once Prometheus has scraped the runner again."""

    def scraped() -> str:
        targets = _asked(base, "/api/v1/targets").get("activeTargets", ())
        return next((str(one["lastScrape"]) for one in targets if one["labels"]["job"] == "rebento"), "")

    before = scraped()
    return lambda: scraped() not in ("", before)
