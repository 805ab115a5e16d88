"""Counts carried over in turns are the counts that prometheus-client would have made one by one."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from monitoring.metrics import ServiceMetrics
from monitoring.tally import HistogramTally


def test_a_tallied_histogram_equals_an_observed_one() -> None:
    amounts = [random.Random(0).expovariate(20) for _ in range(500)] + [0.0, 0.1, 0.5, 99.0]
    texts = []
    for is_tallied in (True, False):
        registry = CollectorRegistry()
        histogram = Histogram("seconds", "Help.", buckets=(0.1, 0.5, 1.0), registry=registry)
        tally = HistogramTally(histogram)
        for amount in amounts:
            tally.add(amount) if is_tallied else histogram.observe(amount)
        tally.flush()
        tally.flush()  # nothing is carried over twice
        text = generate_latest(registry).decode()
        texts.append([line for line in text.splitlines() if "_created" not in line and "_sum" not in line])
        (total,) = [float(line.split()[1]) for line in text.splitlines() if line.startswith("seconds_sum")]
        assert abs(total - sum(amounts)) < 1e-9
    assert texts[0] == texts[1]


def test_a_scrape_holds_every_answer_given_before_it() -> None:
    metrics = ServiceMetrics()
    assert metrics.answered("/predict", 200, 0.003) is True
    assert metrics.answered("/predict", 200, 0.003) is False
    metrics.predicted(["yes", "no"], [0.8, 0.6], [[], [{"column": "age", "problem": "far"}]])
    metrics.fed_back("joined", 2)
    metrics.serves("visits:abc", "visits:abc")
    text = metrics.text().decode()
    for line in (
        'api_requests_total{route="/predict",status="200"} 2.0',
        'api_request_latency_seconds_bucket{le="0.0025",route="/predict"} 0.0',
        'api_request_latency_seconds_bucket{le="0.005",route="/predict"} 2.0',
        'predictions_total{prediction="no"} 1.0',
        'prediction_confidence_bucket{le="0.7"} 1.0',
        'feedback_total{outcome="joined"} 2.0',
        'bento_info{bento="visits:abc",model="visits:abc"} 1.0',
    ):
        assert line in text.splitlines()
    assert metrics.answered("/predict", 200, 0.003) is True


def test_what_ended_workers_counted_stays_counted(tmp_path: Path) -> None:
    code = (
        "from monitoring.metrics import ServiceMetrics\n"
        "m = ServiceMetrics()\n"
        "for _ in range(5): m.answered('/predict', 200, 0.1)\n"
        "m.serves('visits:old', 'visits:old')\n"
        "print(m.text().decode())\n"
    )
    root = Path(__file__).resolve().parents[2]
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(root)}
    for workers in (1, 2, 3):
        run = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        assert f'api_requests_total{{route="/predict",status="200"}} {5.0 * workers}' in run.stdout


def test_a_scrape_outlives_a_worker_that_was_killed_as_it_made_its_files(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from monitoring.metrics import ServiceMetrics\n"
        "m = ServiceMetrics()\n"
        "m.fed_back('joined', 5)\n"
        "for name in ('counter_1', 'histogram_1', 'gauge_livesum_1'):\n"
        "    (Path(sys.argv[1]) / f'{name}.db').touch()\n"
        "print(m.text().decode())\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=True,
    )
    assert 'feedback_total{outcome="joined"} 5.0' in run.stdout.splitlines()
