"""What one worker counts, for prometheus-client.

Names, labels and help are those of `monitoring.catalogue`. Several workers share one folder of counters
(PROMETHEUS_MULTIPROC_DIR, set by whoever starts them, before prometheus_client is imported); any of them
answers for all, and what a worker that ended has counted stays counted.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    metrics_core,
    multiprocess,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from monitoring import catalogue
from monitoring.catalogue import Metric
from monitoring.ended import is_filled, reading
from monitoring.exposition import texts_beside
from monitoring.tally import CounterTally, HistogramTally

#: How long an answer may wait to be seen by another worker's scrape.
FLUSH_SECONDS = 0.05
_SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


def counter(metric: Metric, registry: CollectorRegistry) -> Counter:
    return Counter(metric.name, metric.help, metric.labels, registry=registry)


def histogram(metric: Metric, registry: CollectorRegistry) -> Histogram:
    return Histogram(metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=registry)


class ServiceMetrics:
    """What one worker counts."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._shared = os.environ.get(_SHARED_FOLDER)
        self._flushing = threading.Lock()
        registry = CollectorRegistry()
        self._registry = registry
        self.in_flight_now: Callable[[], int] = lambda: 0
        """How many requests are being answered; set by whoever answers them."""
        self.requests = counter(catalogue.REQUESTS, registry)
        self.latency = histogram(catalogue.LATENCY, registry)
        self.predictions = counter(catalogue.PREDICTIONS, registry)
        self.confidence = histogram(catalogue.CONFIDENCE, registry)
        self.warnings = counter(catalogue.WARNINGS, registry)
        self.feedback = counter(catalogue.FEEDBACK, registry)
        self.feedback_delay = histogram(catalogue.FEEDBACK_DELAY, registry)
        self.log_lost = counter(catalogue.LOG_LOST, registry)
        self.writes = histogram(catalogue.WRITES, registry)
        self.log_waiting = _gauge(catalogue.LOG_WAITING, registry, "livesum")
        self.in_flight = _gauge(catalogue.IN_FLIGHT, registry, "livesum")
        self.info = _gauge(catalogue.BENTO, registry, "livemax")
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

    def predicted(
        self,
        labels: Sequence[str],
        confidences: Sequence[float],
        warnings: Sequence[Sequence[Mapping[str, str]]],
    ) -> None:
        """Tallies answers; `warnings` of each row name their columns, which are the contract's."""
        for label, confidence in zip(labels, confidences, strict=True):
            tally = self._by_class.get(label)
            if tally is None:
                tally = self._by_class[label] = CounterTally(self.predictions.labels(label))
            tally.add()
            self._confidences.add(confidence)
        for warned in warnings:
            for one in warned:
                self.warnings.labels(one["column"]).inc()

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
            self.in_flight.set(self.in_flight_now())

    def fed_back(self, outcome: str, count: int) -> None:
        self.feedback.labels(outcome).inc(count)

    def delayed(self, seconds: float) -> None:
        self.feedback_delay.observe(max(0.0, seconds))

    def wrote(self, outcome: str, seconds: float) -> None:
        self.writes.labels(outcome).observe(seconds)

    def serves(self, bento: str, model: str, accepts: bool = True) -> None:
        self.info.labels(bento, model).set(accepts)

    def text(self) -> bytes:
        """All workers' metrics in Prometheus text format, and what the supervisor measured.

        Every answer given before the call is among them, but those of another worker that has been kept from
        running for the last moments: they are in the next text.
        """
        self.flush()
        if self._shared is None:
            return generate_latest(self._registry)
        time.sleep(FLUSH_SECONDS * 1.2)  # the other workers' turn to carry over
        folder = Path(self._shared)
        with reading(folder):
            return _merged_text(folder) + texts_beside(folder)


def _gauge(metric: Metric, registry: CollectorRegistry, mode: Literal["livesum", "livemax"]) -> Gauge:
    return Gauge(metric.name, metric.help, metric.labels, registry=registry, multiprocess_mode=mode)


def _merged_text(folder: Path) -> bytes:
    """Every process's counters as one text."""
    merged = CollectorRegistry()
    _Filled(merged, str(folder))
    return generate_latest(merged)


class _Filled(multiprocess.MultiProcessCollector):
    """Passes over empty files, which prometheus_client cannot read."""

    def __init__(self, registry: CollectorRegistry, path: str) -> None:
        super().__init__(registry, path)  # type: ignore[no-untyped-call]
        self._folder = Path(path)

    def collect(self) -> Iterable[metrics_core.Metric]:
        filled = [str(file) for file in self._folder.glob("*.db") if is_filled(file)]
        merged: Iterable[metrics_core.Metric] = self.merge(filled, accumulate=True)  # type: ignore[no-untyped-call]
        return merged
