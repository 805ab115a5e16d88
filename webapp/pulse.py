"""How the runner is doing: whether it answers, how much it answers and how fast, measured from its metrics.

A rate needs two readings, and one reading takes the runner 60 ms (its workers carry their counts over
first): so it is read in the background, often while somebody looks and seldom otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from webapp.runner_client import RunnerClient, RunnerDown

log = logging.getLogger("rebento.webapp")

ROUTES = ("/predict", "/explain", "/feedback")
WINDOW_SECONDS = 60.0
_BUSY_SECONDS, _IDLE_SECONDS = 2.0, 15.0
_WATCHED_SECONDS = 30.0
_FRESH_SECONDS = 2.5


@dataclass(frozen=True, slots=True)
class Reading:
    """The runner's counters at one moment."""

    at: float
    """Monotonic seconds."""
    requests: dict[tuple[str, str], float]
    """(route, status) -> answered so far."""
    latencies: tuple[tuple[float, float], ...]
    """(upper bound in seconds, calls so far that took at most so long), of `/predict`."""
    waiting_rows: float
    lost_rows: float


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was answered within the last minute."""

    per_minute: float
    failed_share: float
    """Of the answers, those with a status of 500 or more."""
    median_seconds: float | None
    p95_seconds: float | None
    """Of `/predict`; None: there was none."""
    waiting_rows: float
    lost_rows: float


@dataclass(frozen=True, slots=True)
class ServiceState:
    """Whether the runner answers."""

    is_up: bool
    traffic: Traffic | None
    """None: there are no two readings yet."""


class Pulse:
    """Takes the readings. `beat` runs for as long as the pages do."""

    def __init__(self, runner: RunnerClient) -> None:
        self._runner = runner
        self._readings: deque[Reading] = deque()
        self._is_up = False
        self._asked_at = -1e9
        self._looked_at = -1e9
        self._asking = asyncio.Lock()

    async def now(self) -> ServiceState:
        """The state, a few seconds old at most."""
        self._looked_at = time.monotonic()
        if self._looked_at - self._asked_at > _FRESH_SECONDS:
            async with self._asking:
                if time.monotonic() - self._asked_at > _FRESH_SECONDS:
                    self._is_up = await self._runner.is_ready()
                    self._asked_at = time.monotonic()
        traffic = None
        if self._is_up and len(self._readings) > 1:
            traffic = traffic_between(self._readings[0], self._readings[-1])
        return ServiceState(self._is_up, traffic)

    async def beat(self) -> None:
        """Reads for ever."""
        while True:
            await self.read()
            is_watched = time.monotonic() - self._looked_at < _WATCHED_SECONDS
            # In short steps: a visitor who comes now need not wait out the long rest.
            for _ in range(1 if is_watched else int(_IDLE_SECONDS / _BUSY_SECONDS)):
                await asyncio.sleep(_BUSY_SECONDS)
                if not is_watched and time.monotonic() - self._looked_at < _BUSY_SECONDS:
                    break

    async def read(self) -> None:
        """One reading."""
        try:
            self._readings.append(reading(await self._runner.metrics(), time.monotonic()))
            self._is_up = True
        except RunnerDown:
            self._is_up = False
        except ValueError:
            log.warning("the runner's metrics cannot be read", exc_info=True)
        self._asked_at = time.monotonic()
        with contextlib.suppress(IndexError):
            while self._readings[1].at < self._asked_at - WINDOW_SECONDS:
                self._readings.popleft()


def reading(text: str, at: float) -> Reading:
    """The counters in a Prometheus text. Raises ValueError where it is none."""
    requests: dict[tuple[str, str], float] = {}
    latencies: dict[float, float] = {}
    single = {"prediction_log_waiting_rows": 0.0, "prediction_log_lost_total": 0.0}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = sample.labels
            if sample.name == "api_requests_total" and labels["route"] in ROUTES:
                requests[(labels["route"], labels["status"])] = sample.value
            elif sample.name == "api_request_latency_seconds_bucket" and labels["route"] == "/predict":
                latencies[float(labels["le"])] = sample.value
            elif sample.name in single:
                single[sample.name] = sample.value
    waiting, lost = single.values()
    return Reading(at, requests, tuple(sorted(latencies.items())), waiting, lost)


def traffic_between(first: Reading, last: Reading) -> Traffic:
    """What was answered between two readings. Counters that fell were begun anew: they count from 0."""
    seconds = max(last.at - first.at, 1e-9)
    answered = {key: _more(first.requests.get(key, 0.0), value) for key, value in last.requests.items()}
    total = sum(answered.values())
    failed = sum(count for (_, status), count in answered.items() if status.startswith("5"))
    before = dict(first.latencies)
    counts = [(bound, _more(before.get(bound, 0.0), value)) for bound, value in last.latencies]
    return Traffic(
        per_minute=total / seconds * 60,
        failed_share=failed / total if total else 0.0,
        median_seconds=quantile(counts, 0.5),
        p95_seconds=quantile(counts, 0.95),
        waiting_rows=last.waiting_rows,
        lost_rows=last.lost_rows,
    )


def quantile(counts: list[tuple[float, float]], share: float) -> float | None:
    """The quantile of a cumulative histogram, linear within a bucket, as Prometheus' histogram_quantile.

    >>> quantile([(0.01, 5.0), (0.02, 10.0), (float("inf"), 10.0)], 0.75)
    0.015
    >>> quantile([], 0.5) is None
    True
    """
    total = counts[-1][1] if counts else 0.0
    if total <= 0:
        return None
    wanted = share * total
    lower_bound = lower_count = 0.0
    for bound, count in counts:
        if count >= wanted:
            if bound == float("inf") or count == lower_count:
                return lower_bound
            return lower_bound + (bound - lower_bound) * (wanted - lower_count) / (count - lower_count)
        lower_bound, lower_count = bound, count
    return lower_bound


def _more(before: float, after: float) -> float:
    return after - before if after >= before else after
