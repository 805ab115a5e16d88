"""Counting without shared memory's price: tallied in plain numbers, carried over in turns.

An increment in prometheus-client's multiprocess mode costs about 2 us, and a request makes six.
"""

from __future__ import annotations

from bisect import bisect_left

from prometheus_client import Counter, Histogram


class CounterTally:
    """Increments of one labelled series that wait to be carried over."""

    def __init__(self, series: Counter) -> None:
        self._series = series
        self._waiting = 0

    def add(self, count: int = 1) -> None:
        self._waiting += count

    def flush(self) -> None:
        waiting = self._waiting
        if waiting:
            self._series.inc(waiting)
            self._waiting -= waiting  # not 0: another thread may have added meanwhile


class HistogramTally:
    """Observations of one labelled histogram that wait to be carried over."""

    def __init__(self, series: Histogram) -> None:
        self._series = series
        self._bounds = tuple(series._upper_bounds)
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0

    def add(self, amount: float) -> None:
        self._counts[bisect_left(self._bounds, amount)] += 1
        self._sum += amount

    def flush(self) -> None:
        # `observe` takes one amount at a time; these are the two values it would raise, by their sums.
        for position, count in enumerate(self._counts):
            if count:
                self._series._buckets[position].inc(count)
                self._counts[position] -= count
        waiting = self._sum
        if waiting:
            self._series._sum.inc(waiting)
            self._sum -= waiting
