"""What the supervisor measured beside what workers counted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitoring import catalogue
from monitoring.ended import fold_ended
from monitoring.exposition import by, flag, prometheus_text, single, texts_beside, write_text


def _values(text: bytes) -> dict[str, float]:
    return {
        sample.name + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_counters_gauges_and_unknown_values(tmp_path: Path) -> None:
    text = prometheus_text(
        {
            catalogue.RUNS: by({"built": 3, "failed": 0}),
            catalogue.PAUSED: flag(True),
            catalogue.DRIFT_SHARE: single(None),
            catalogue.COLUMN_DRIFT: by([(('a "quoted"\nname', "input"), 0.25)]),
        }
    )
    assert _values(text) == {
        "training_runs_total state=built": 3,
        "training_runs_total state=failed": 0,
        "automation_paused": 1,
        'column_drift column=a "quoted"\nname group=input': 0.25,
    }
    assert b"# TYPE drift_share gauge" in text
    write_text(tmp_path, "supervisor", text)
    write_text(tmp_path, "supervisor", text)
    assert texts_beside(tmp_path) == text


def test_every_metric_has_a_name_of_its_own_a_help_and_bounded_labels() -> None:
    names = [metric.name for metric in catalogue.METRICS]
    assert len(set(names)) == len(names) > 40
    for metric in catalogue.METRICS:
        assert metric.help.endswith((".", ")")) and len(metric.labels) <= 2
        assert (metric.kind == "histogram") == bool(metric.buckets)
        assert not metric.name.endswith("_total")


_WORKER = """
from monitoring.metrics import ServiceMetrics
metrics = ServiceMetrics()
for _ in range(3):
    metrics.answered("/predict", 200, 0.003)
metrics.delayed(30)
metrics.flush()
"""


@pytest.mark.parametrize("rounds", [1, 3])
def test_what_ended_workers_counted_is_folded_without_a_loss(tmp_path: Path, rounds: int) -> None:
    def scrape() -> dict[str, float]:
        code = "import sys, monitoring.metrics as m; sys.stdout.buffer.write(m.ServiceMetrics().text())"
        run = subprocess.run(
            [sys.executable, "-c", code],
            env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
            capture_output=True,
            check=True,
        )
        return _values(run.stdout)

    for _ in range(rounds):
        for _ in range(2):
            subprocess.run(
                [sys.executable, "-c", _WORKER],
                env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
                check=True,
            )
        assert fold_ended(tmp_path, left_alone=100) == 0
        assert fold_ended(tmp_path, left_alone=0) >= 2
    found = scrape()
    assert found["api_requests_total route=/predict status=200"] == 6 * rounds
    assert found["api_request_latency_seconds_bucket le=0.0025 route=/predict"] == 0
    assert found["api_request_latency_seconds_count route=/predict"] == 6 * rounds
    assert found["feedback_delay_seconds_bucket le=60.0"] == 2 * rounds
    assert len(list(tmp_path.glob("counter_*.db"))) == 2  # the folded one, and the scrape's own
