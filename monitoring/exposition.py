"""What one process measured as Prometheus text, and how another's /metrics comes to show it.

Workers share counters by mapped files (`prometheus_client.multiprocess`), in which a series stays for ever:
right for what is counted, wrong for a Bento in force or a column's drift. So the supervisor writes its own
as text beside them, whole or not at all, and whichever worker is scraped appends it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from monitoring.catalogue import Metric

_SUFFIX = ".prom"

#: Label values in the order of the metric's labels -> value.
Samples = Mapping[tuple[str, ...], float]


class _Once(Collector):
    def __init__(self, samples: Mapping[Metric, Samples]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        for metric, series in self._samples.items():
            kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = kind(metric.name, metric.help, labels=metric.labels)
            for labels, value in series.items():
                family.add_metric(labels, value)
            yield family


def prometheus_text(samples: Mapping[Metric, Samples]) -> bytes:
    """Counters and gauges as Prometheus text. A metric without samples has its help alone."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(samples))
    return generate_latest(registry)


def write_text(folder: Path, process: str, text: bytes) -> None:
    """Puts a process's text where `texts_beside` finds it. Raises OSError."""
    unfinished = folder / f".{process}.{os.getpid()}"
    unfinished.write_bytes(text)
    os.replace(unfinished, folder / f"{process}{_SUFFIX}")


def texts_beside(folder: Path) -> bytes:
    """What other processes wrote into the folder of the counters."""
    return b"".join(_read(path) for path in sorted(folder.glob(f"*{_SUFFIX}")))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # its process has just left
        return b""


def single(value: float | None) -> Samples:
    """A metric without labels; None: not known, and so not shown."""
    return {} if value is None else {(): value}


def flag(is_so: bool) -> Samples:
    return {(): 1.0 if is_so else 0.0}


def by(values: Mapping[str, float] | Iterable[tuple[Sequence[str], float]]) -> Samples:
    """Samples of one label, or of several given in order."""
    if isinstance(values, Mapping):
        return {(name,): value for name, value in values.items()}
    return {tuple(names): value for names, value in values}
