"""Every metric of the API, for prometheus-client.

Labels are bounded: routes are templates, statuses and outcomes come from fixed sets, classes from the
contract. Several workers share one folder of counters (PROMETHEUS_MULTIPROC_DIR, set by whoever starts
them, before prometheus_client is imported); any of them answers for all, and what a worker that ended
has counted stays counted.
"""

from __future__ import annotations

import os
from collections import Counter as Tally
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_CONFIDENCE_BUCKETS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)


class ServiceMetrics:
    """What one worker counts."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._shared = "PROMETHEUS_MULTIPROC_DIR" in os.environ
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
        # Children are looked up once: `labels()` costs more than counting does.
        self._by_route: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._by_class: dict[str, Counter] = {}

    def answered(self, route: str, status: int, seconds: float) -> None:
        children = self._by_route.get((route, status))
        if children is None:
            children = (self.requests.labels(route, str(status)), self.latency.labels(route))
            self._by_route[(route, status)] = children
        children[0].inc()
        children[1].observe(seconds)

    def predicted(self, labels: Sequence[str], confidences: Sequence[float]) -> None:
        for label, count in Tally(labels).items() if len(labels) > 1 else ((labels[0], 1),):
            child = self._by_class.get(label)
            if child is None:
                child = self._by_class[label] = self.predictions.labels(label)
            child.inc(count)
        for confidence in confidences:
            self.confidence.observe(confidence)

    def fed_back(self, outcome: str, count: int) -> None:
        self.feedback.labels(outcome).inc(count)

    def serves(self, bento: str, model: str) -> None:
        self.info.labels(bento, model).set(1)

    def text(self) -> bytes:
        """All workers' metrics in Prometheus text format."""
        if not self._shared:
            return generate_latest(self._registry)
        merged = CollectorRegistry()
        multiprocess.MultiProcessCollector(merged)
        return generate_latest(merged)
