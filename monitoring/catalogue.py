"""Every metric: its name, kind, labels and help text. docs/metrics.md is made from this.

Labels are bounded: routes are templates, states and outcomes come from fixed sets, classes and columns from
the contract. Names follow Prometheus's conventions: a counter's ends in `_total` where it is shown, units are
seconds, bytes, rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
Process = Literal["runner", "supervisor", "pages"]

_LATENCY = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_CONFIDENCE = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
_DELAY = (1.0, 10.0, 60.0, 600.0, 3_600.0, 21_600.0, 86_400.0, 604_800.0, 2_592_000.0, 7_776_000.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric."""

    name: str
    """Without the `_total` of a counter."""
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets, without the last, infinite one."""
    process: Process = "runner"
    """Who counts it: each worker of the runner, the supervisor (out of the database), or the pages."""

    @property
    def shown(self) -> str:
        """The name in Prometheus."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


def _state(name: str, help: str, *labels: str, kind: Kind = "gauge") -> Metric:
    return Metric(name, kind, help, labels, process="supervisor")


# What each worker counts.
REQUESTS = Metric("api_requests", "counter", "Requests answered, by route and status.", ("route", "status"))
LATENCY = Metric(
    "api_request_latency_seconds",
    "histogram",
    "Time from a request's last header to its answer, by route.",
    ("route",),
    _LATENCY,
)
IN_FLIGHT = Metric("api_requests_in_flight", "gauge", "Requests that are being answered now.")
PREDICTIONS = Metric("predictions", "counter", "Predictions given, by class.", ("prediction",))
CONFIDENCE = Metric(
    "prediction_confidence", "histogram", "Probability of the predicted class.", buckets=_CONFIDENCE
)
WARNINGS = Metric(
    "prediction_warnings",
    "counter",
    "Values outside what the training rows showed: a number out of its range, a category never seen.",
    ("column",),
)
FEEDBACK = Metric(
    "feedback",
    "counter",
    "Feedback taken, by outcome: joined to its prediction, pending, whole row, or refused.",
    ("outcome",),
)
FEEDBACK_DELAY = Metric(
    "feedback_delay_seconds", "histogram", "Time from a prediction to a true answer to it.", buckets=_DELAY
)
LOG_LOST = Metric(
    "prediction_log_lost", "counter", "Predictions answered but not logged: the queue was full."
)
LOG_WAITING = Metric("prediction_log_waiting_rows", "gauge", "Predictions answered and not stored yet.")
WRITES = Metric(
    "database_write_seconds",
    "histogram",
    "Time of one transaction of the prediction log or of feedback.",
    ("outcome",),
    _LATENCY,
)
BENTO = Metric(
    "bento_info",
    "gauge",
    "1 for each Bento that a worker answers with, and its model; 0: its workers only stand by.",
    ("bento", "model"),
)

# What the supervisor reads from the database, every few seconds.
IN_FORCE = _state("bento_in_force", "1 for the Bento in Production.", "bento")
IN_FORCE_SINCE = _state("bento_in_force_since_timestamp_seconds", "When it was put in Production.")
STAGED = _state("bentos_staged", "Proven versions that wait for a person.")
LEADS = _state(
    "supervisor_leads",
    "1 where this host's supervisor carries out promotions, for all that share the database.",
)
LAGS = _state(
    "bento_lags", "1 while another Bento than the one in Production answers here: its workers did not load."
)
PROCESS_UP = _state("process_up", "1 where a long-lived process said lately that it is there.", "process")
PRODUCTION_ROWS = _state("production_rows", "Predictions ever labelled.")
LABEL_COVERAGE = _state(
    "label_coverage", "Share of the last seven days' predictions that have a label, 0 to 1."
)
LAST_PREDICTION = _state("last_prediction_timestamp_seconds", "When the newest stored prediction was given.")
LAST_LABEL = _state(
    "last_label_timestamp_seconds", "When anything about labels last changed; absent before the first label."
)
QUARANTINED = _state("quarantined_rows", "True answers that are set aside and wait for a person.")
PAUSED = _state("automation_paused", "1 while nothing trains by itself.")
SUSPENDED = _state("promotion_suspended", "1 while nothing is promoted by itself, after a rollback.")
RUNS = _state("training_runs", "Training runs that ended, by state.", "state", kind="counter")
RUNS_WAITING = _state("training_runs_waiting", "Training runs asked for that have not begun.")
RUN_ACTIVE = _state("training_run_active", "1 while a training run is at work.")
RUNS_FAILED = _state(
    "training_runs_failed_in_a_row", "Training runs that failed since the last that did not."
)
RUN_SECONDS = _state("training_run_last_seconds", "How long the last training run took.")
LAST_RUN = _state("last_training_run_timestamp_seconds", "When the last training run ended.")
VERDICTS = _state("verdicts", "What the judge said of challengers.", "decision", kind="counter")
PROMOTIONS = _state(
    "promotions", "Promotions that ended, by kind and state.", "kind", "state", kind="counter"
)
PROMOTIONS_WAITING = _state("promotions_waiting", "Promotions asked for or under way.")
DECISIONS = _state(
    "decisions", "Decisions, by what they went by and what they were.", "kind", "decision", kind="counter"
)
REPORTS = _state("reports", "Reports that ended, by state.", "state", kind="counter")
REPORTS_WAITING = _state("reports_waiting", "Reports asked for that have not ended.")
REPORTS_FAILED = _state("reports_failed_in_a_row", "Reports that failed since the last that did not.")
REPORT_SECONDS = _state("report_last_seconds", "How long the last report took.")
LAST_REPORT = _state("last_report_timestamp_seconds", "When the last report that succeeded ended.")
DRIFT_SHARE = _state("drift_share", "Drifted raw feature columns / raw feature columns, by the last report.")
DRIFT_THRESHOLD = _state("drift_share_threshold", "The share from which the policy acts.")
TARGET_DRIFT = _state(
    "target_drift", "Distance between reference and current targets, 0 to 1, by the last report."
)
COLUMN_DRIFT = _state(
    "column_drift", "Distance of each column from the reference, 0 to 1.", "column", "group"
)
QUALITY = _state(
    "quality",
    "The deciding metric by the last report: reference (promised), estimated (no labels), realised (labels).",
    "metric",
    "kind",
)
QUALITY_IS_DOWN = _state(
    "quality_below_reference", "1 where realised quality is proven to be below its reference by the margin."
)
DISK_FREE = _state("disk_free_bytes", "Room left on the disk of REBENTO_HOME.")
DISK_SIZE = _state("disk_size_bytes", "Size of the disk of REBENTO_HOME.")
STATE_READ = _state("state_read_timestamp_seconds", "When the supervisor last read these from the database.")

# What the process of the pages counts.
PAGES = Metric(
    "web_requests", "counter", "Pages answered, by route and status.", ("route", "status"), process="pages"
)
PAGES_LATENCY = Metric(
    "web_request_latency_seconds",
    "histogram",
    "Time from a request's arrival to its answer, by route.",
    ("route",),
    _LATENCY,
    process="pages",
)

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
