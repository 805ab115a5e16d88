"""Rules, alerts and pages about metrics agree with the catalogue and with one another."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from monitoring.catalogue import METRICS
from scripts.metrics_page import PAGE, page
from tests.monitoring.expressions import FILES, alerts, expressions, names_in

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_made_from_the_catalogue() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python scripts/metrics_page.py`"


def test_every_expression_asks_for_metrics_that_there_are() -> None:
    known = {metric.shown for metric in METRICS} | {"up"}
    for metric in METRICS:
        if metric.kind == "histogram":
            known |= {f"{metric.name}_{part}" for part in ("bucket", "sum", "count")}
    found = set()
    for expression in expressions():
        named = {name for name in names_in(expression) if not name.startswith("rebento:")}
        assert named <= known, f"{expression}: {sorted(named - known)}"
        found |= named
    assert len(found) > 20


def test_every_alert_has_its_section_in_the_runbook_and_a_test() -> None:
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^## (\w+)$", text, re.MULTILINE))
    tests = (FILES / "alerts_test.yml").read_text(encoding="utf-8")
    for alert in alerts():
        name = alert["alert"]
        assert name in sections, name
        assert alert["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"
        assert name in tests, name
    assert sections == {alert["alert"] for alert in alerts()}


def test_prometheus_finds_the_files_right() -> None:
    subprocess.run(["promtool", "check", "config", FILES / "prometheus.yml"], check=True, capture_output=True)
    targets = yaml.safe_load((FILES / "targets" / "runner.yml").read_text())
    assert targets == [{"targets": ["127.0.0.1:8080"]}]


@pytest.mark.slow
def test_alerts_fire_when_they_should_and_not_before() -> None:
    run = subprocess.run(
        ["promtool", "test", "rules", FILES / "alerts_test.yml"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
