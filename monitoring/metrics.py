"""Every metric of the API, for prometheus-client.

Labels are bounded: routes are templates, statuses and outcomes come from fixed sets, classes from the
contract. Several workers share one folder of counters (PROMETHEUS_MULTIPROC_DIR, set by whoever starts
them, before prometheus_client is imported); any of them answers for all, and what a worker that ended
has counted stays counted.
"""

from __future__ import annotations

import os
import struct
import threading
import time
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from monitoring.tally import CounterTally, HistogramTally

#: How long an answer may wait to be seen by another worker's scrape.
FLUSH_SECONDS = 0.05
#: How often a scrape is tried while other workers are making their files.
_LOOKS = 20

_LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_CONFIDENCE_BUCKETS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)


class ServiceMetrics:
    """What one worker counts."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._shared = "PROMETHEUS_MULTIPROC_DIR" in os.environ
        self._flushing = threading.Lock()
        registry = CollectorRegistry()
        self._registry = registry
        self.requests = Counter(
            "api_requests", "Requests answered, by route and status.", ["route", "status"], registry=registry
        )
        self.latency = Histogram(
            "api_request_latency_seconds",
            "Time from a request's last header to its answer, by route.",
            ["route"],
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self.predictions = Counter(
            "predictions", "Predictions given, by class.", ["prediction"], registry=registry
        )
        self.confidence = Histogram(
            "prediction_confidence",
            "Probability of the predicted class.",
            buckets=_CONFIDENCE_BUCKETS,
            registry=registry,
        )
        self.feedback = Counter(
            "feedback",
            "Feedback taken, by outcome: joined to its prediction, pending, whole row, or refused.",
            ["outcome"],
            registry=registry,
        )
        self.log_lost = Counter(
            "prediction_log_lost",
            "Predictions answered but not logged: the queue was full.",
            registry=registry,
        )
        self.log_waiting = Gauge(
            "prediction_log_waiting_rows",
            "Predictions answered and not stored yet.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.info = Gauge(
            "bento_info",
            "1 for the Bento that answers and the model in it.",
            ["bento", "model"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._answered: dict[tuple[str, int], tuple[CounterTally, HistogramTally]] = {}
        self._by_class: dict[str, CounterTally] = {}
        self._confidences = HistogramTally(self.confidence)
        self._is_due = False

    def answered(self, route: str, status: int, seconds: float) -> bool:
        """Tallies an answer; whether it is the first since the last `flush`, which is then due."""
        tallies = self._answered.get((route, status))
        if tallies is None:
            tallies = (
                CounterTally(self.requests.labels(route, str(status))),
                HistogramTally(self.latency.labels(route)),
            )
            self._answered[(route, status)] = tallies
        tallies[0].add()
        tallies[1].add(seconds)
        first, self._is_due = not self._is_due, True
        return first

    def predicted(self, labels: Sequence[str], confidences: Sequence[float]) -> None:
        for label, confidence in zip(labels, confidences, strict=True):
            tally = self._by_class.get(label)
            if tally is None:
                tally = self._by_class[label] = CounterTally(self.predictions.labels(label))
            tally.add()
            self._confidences.add(confidence)

    def flush(self) -> None:
        """Carries the tallies over, so that every worker's scrape sees them."""
        with self._flushing:
            self._is_due = False
            for answered in list(self._answered.values()):
                for tally in answered:
                    tally.flush()
            for predicted in list(self._by_class.values()):
                predicted.flush()
            self._confidences.flush()

    def fed_back(self, outcome: str, count: int) -> None:
        self.feedback.labels(outcome).inc(count)

    def serves(self, bento: str, model: str) -> None:
        self.info.labels(bento, model).set(1)

    def text(self) -> bytes:
        """All workers' metrics in Prometheus text format, every answer given before the call among them."""
        self.flush()
        if self._shared:
            time.sleep(FLUSH_SECONDS * 1.2)  # the other workers' turn to carry over
        if not self._shared:
            return generate_latest(self._registry)
        return _merged_text()


def _merged_text() -> bytes:
    """Every process's counters as one text.

    A worker that starts makes its file empty and fills it a moment later; prometheus_client cannot read
    it in between, so that one look is taken again.
    """
    for _ in range(_LOOKS - 1):
        try:
            return _look()
        except struct.error:
            time.sleep(0.005)
    return _look()


def _look() -> bytes:
    merged = CollectorRegistry()
    multiprocess.MultiProcessCollector(merged)
    return generate_latest(merged)
