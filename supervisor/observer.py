"""How the loop stands, for Prometheus: read from the database every few seconds, in a thread of its own."""

from __future__ import annotations

import json
import logging
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from loop.clock import now_ms
from loop.refusals import StorageUnavailable
from loop.tolerance import Tolerated
from monitoring import catalogue as metrics
from monitoring.catalogue import Metric
from monitoring.ended import fold_ended
from monitoring.exposition import Samples, by, flag, prometheus_text, single, write_text
from storage.database import Database
from storage.loop_state import Coverage, LoopState, coverage, loop_state
from storage.processes import alive
from storage.reports import Report

log = logging.getLogger("rebento.supervisor")

#: As often as Prometheus looks by default.
_EVERY_SECONDS = 5.0
#: Counting a week's predictions takes longer.
_COVERAGE_EVERY_SECONDS = 60.0
_STOP_SECONDS = 5.0
_PROCESSES = ("supervisor", "trainer", "reporter")
_ENDED = ("done", "failed", "withdrawn")


@dataclass
class Observer:
    """Writes the text beside the workers' counters from `start` to `stop`.

    A database that is away leaves the last text in place: its age is in it.
    """

    database: Database
    use_case: str
    home: Path
    folder: Path
    """Of the counters."""
    leads: Callable[[], bool]
    """Whether this supervisor leads."""
    lags: Callable[[], bool]
    """Whether another Bento answers here than the one in Production."""
    _stopping: threading.Event = field(default_factory=threading.Event)
    _covered_at: float = -_COVERAGE_EVERY_SECONDS
    _coverage: Coverage | None = None
    _said: str = ""
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Waits a moment for a look that goes on: the database and the folder are closed next."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def look(self) -> bytes:
        """The text of one look. Raises StorageUnavailable."""
        at_ms = now_ms()
        with self.database.reading() as connection:
            state = loop_state(connection, self.use_case)
            there = self._processes(connection, at_ms)
            if time.monotonic() - self._covered_at >= _COVERAGE_EVERY_SECONDS:
                self._coverage = coverage(connection, self.use_case, at_ms)
                self._covered_at = time.monotonic()
        disk = shutil.disk_usage(self.home)
        samples: dict[Metric, Samples] = {
            metrics.STATE_READ: single(at_ms / 1000),
            metrics.PROCESS_UP: by(there),
            metrics.LEADS: flag(self.leads()),
            metrics.LAGS: flag(self.lags()),
            metrics.DISK_FREE: single(disk.free),
            metrics.DISK_SIZE: single(disk.total),
            **_loop_samples(state),
            **_coverage_samples(self._coverage),
            **_report_samples(state.last_report),
        }
        return prometheus_text(samples)

    def _run(self) -> None:
        measure = Tolerated("measuring the loop's state", log, self._measure)
        while True:
            measure()
            if self._stopping.wait(_EVERY_SECONDS):
                return

    def _measure(self) -> None:
        try:
            write_text(self.folder, "supervisor", self.look())
            fold_ended(self.folder)
            self._said = ""
        except (StorageUnavailable, OSError) as error:
            if str(error) != self._said:
                log.warning("the loop's state could not be measured: %s", error)
            self._said = str(error)

    def _processes(self, connection: Connection, at_ms: int) -> dict[str, float]:
        return {
            name: 0.0 if alive(connection, self.use_case, name, at_ms=at_ms) is None else 1.0
            for name in _PROCESSES
        }


def _loop_samples(state: LoopState) -> dict[Metric, Samples]:
    run, report = state.last_run, state.last_report
    ended = None if run is None or run.finished_at_ms is None else run.finished_at_ms
    return {
        metrics.IN_FORCE: by({state.champion: 1.0} if state.champion else {}),
        metrics.IN_FORCE_SINCE: _seconds(state.champion_since_ms),
        metrics.STAGED: single(state.staged),
        metrics.PRODUCTION_ROWS: single(state.production_rows),
        # A training moves the instant of labels that there never were.
        metrics.LAST_LABEL: _seconds(state.labels_changed_at_ms if state.production_rows else None),
        metrics.QUARANTINED: single(state.quarantined),
        metrics.PAUSED: flag(state.automation.is_paused),
        metrics.SUSPENDED: flag(state.automation.promotion_is_suspended),
        metrics.RUNS: by(state.runs),
        metrics.RUNS_WAITING: single(state.runs_waiting),
        metrics.RUN_ACTIVE: flag(state.run_is_active),
        metrics.RUNS_FAILED: single(state.runs_failed_in_a_row),
        metrics.RUN_SECONDS: single(None if run is None else run.seconds),
        metrics.LAST_RUN: _seconds(ended),
        metrics.VERDICTS: by(state.verdicts),
        metrics.PROMOTIONS: by(
            ((kind, how), state.promotions.get((kind, how), 0))
            for kind in ("promotion", "rollback")
            for how in _ENDED
        ),
        metrics.PROMOTIONS_WAITING: single(state.promotions_waiting),
        metrics.DECISIONS: by(
            ((kind, what), state.decisions.get((kind, what), 0))
            for kind in ("drift", "quality", "suspicion")
            for what in ("NO_ACTION", "RETRAIN", "INVESTIGATE")
        ),
        metrics.QUALITY_IS_DOWN: flag(state.quality is not None and state.quality.decision == "RETRAIN"),
        metrics.REPORTS: by(state.reports),
        metrics.REPORTS_WAITING: single(state.reports_waiting),
        metrics.REPORTS_FAILED: single(state.reports_failed_in_a_row),
        metrics.REPORT_SECONDS: single(_seconds_taken(report)),
        metrics.LAST_REPORT: _seconds(None if report is None else report.ended_at_ms),
    }


def _coverage_samples(found: Coverage | None) -> dict[Metric, Samples]:
    if found is None or not found.predictions:
        return {metrics.LABEL_COVERAGE: {}, metrics.LAST_PREDICTION: {}}
    return {
        metrics.LABEL_COVERAGE: single(found.labelled / found.predictions),
        metrics.LAST_PREDICTION: _seconds(found.newest_ms),
    }


def _report_samples(report: Report | None) -> dict[Metric, Samples]:
    numbers: dict[str, Any] = {} if report is None else json.loads(report.numbers_json)
    quality: Mapping[str, Any] = numbers.get("quality") or {}
    metric = str(quality.get("metric", ""))
    kinds = {kind: (quality.get(kind) or {}).get("value") for kind in ("reference", "estimated", "realised")}
    return {
        metrics.DRIFT_SHARE: single(numbers.get("drift_share")),
        metrics.DRIFT_THRESHOLD: single(numbers.get("drift_threshold")),
        metrics.TARGET_DRIFT: single(numbers.get("target_drift")),
        metrics.COLUMN_DRIFT: by(
            ((str(one["name"]), str(one["group"])), float(one["distance"]))
            for one in numbers.get("columns") or ()
            if one.get("distance") is not None
        ),
        metrics.QUALITY: by(((metric, kind), value) for kind, value in kinds.items() if value is not None),
    }


def _seconds(at_ms: int | None) -> Samples:
    return single(None if at_ms is None else at_ms / 1000)


def _seconds_taken(report: Report | None) -> float | None:
    if report is None or report.started_at_ms is None or report.ended_at_ms is None:
        return None
    return (report.ended_at_ms - report.started_at_ms) / 1000
