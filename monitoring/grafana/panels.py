"""What the four dashboards show: panels and the PromQL behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Shape = Literal["lines", "number"]


@dataclass(frozen=True, slots=True)
class Query:
    """One expression and what its series are called (Grafana's `{{label}}`)."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture."""

    title: str
    description: str
    queries: tuple[Query, ...]
    shape: Shape = "lines"
    unit: str = "short"
    """Grafana's unit: 's', 'percentunit', 'reqps', 'bytes', 'dateTimeFromNow', …"""
    span: int = 8
    """Of 24 columns."""
    minimum: float | None = 0
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One page of panels."""

    uid: str
    title: str
    description: str
    panels: tuple[Panel, ...]


def _number(title: str, description: str, expr: str, unit: str = "short", legend: str = "") -> Panel:
    return Panel(title, description, (Query(expr, legend),), "number", unit, span=4)


SERVICE = Dashboard(
    "rebento-service",
    "Rebento: Service",
    "Does it answer, how fast, and is everything stored?",
    (
        _number("Up", "1: Prometheus reads the runner.", 'up{job="rebento"}'),
        _number("Requests", "Calls a second, over five minutes.", "sum(rebento:requests:rate5m)", "reqps"),
        _number("Errors", "Share of answers with a status of 5xx.", "rebento:errors:share5m", "percentunit"),
        _number(
            "p99 of /predict",
            "One call in a hundred takes longer.",
            'rebento:latency_seconds:p99_5m{route="/predict"}',
            "s",
        ),
        _number(
            "Waiting to be stored", "Predictions answered and not stored yet.", "prediction_log_waiting_rows"
        ),
        _number("Disk free", "Share of the disk of REBENTO_HOME.", "rebento:disk_free:share", "percentunit"),
        Panel(
            "Requests by route",
            "Calls a second.",
            (Query("rebento:requests:rate5m", "{{route}}"),),
            unit="reqps",
            span=12,
        ),
        Panel(
            "Latency of /predict",
            "Half of the calls, and one in a hundred, take longer.",
            (
                Query('rebento:latency_seconds:p50_5m{route="/predict"}', "p50"),
                Query('rebento:latency_seconds:p99_5m{route="/predict"}', "p99"),
            ),
            unit="s",
            span=12,
        ),
        Panel(
            "Answers by status",
            "Calls a second.",
            (Query("sum by (status) (rate(api_requests_total[5m]))", "{{status}}"),),
            unit="reqps",
        ),
        Panel(
            "Being answered now",
            "Requests in flight.",
            (Query("api_requests_in_flight", "in flight"),),
        ),
        Panel(
            "Database writes",
            "One transaction in a hundred takes longer.",
            (Query("rebento:database_write_seconds:p99_5m", "{{outcome}}"),),
            unit="s",
        ),
        Panel(
            "Predictions lost",
            "Answered, and never stored: the queue was full.",
            (Query("increase(prediction_log_lost_total[5m])", "lost in 5 minutes"),),
        ),
        Panel(
            "Pages",
            "One page in twenty takes longer.",
            (Query("rebento:page_seconds:p95_5m", "{{route}}"),),
            unit="s",
        ),
        Panel(
            "Processes",
            "1: said lately that it is there.",
            (Query("process_up", "{{process}}"),),
            maximum=1,
        ),
    ),
)

QUALITY = Dashboard(
    "rebento-quality",
    "Rebento: Model quality",
    "What was promised, what is estimated without labels, what the labels say.",
    (
        _number("Bento in force", "Which one answers.", "bento_in_force", legend="{{bento}}"),
        _number(
            "Below its reference",
            "1: realised quality is proven to be below by more than the margin.",
            "quality_below_reference",
        ),
        _number("Labelled", "Share of the last seven days' predictions.", "label_coverage", "percentunit"),
        _number("Production rows", "Predictions ever labelled.", "production_rows"),
        _number(
            "Last label",
            "When anything about labels last changed.",
            "last_label_timestamp_seconds * 1000",
            "dateTimeFromNow",
        ),
        _number("In quarantine", "True answers that wait for a person.", "quarantined_rows"),
        Panel(
            "Reference, estimated, realised",
            "The deciding metric by the last report. The estimate cannot see a changed concept.",
            (Query("quality", "{{kind}} {{metric}}"),),
            span=12,
            minimum=None,
        ),
        Panel(
            "Predictions by class",
            "A second.",
            (Query("rebento:predictions:rate5m", "{{prediction}}"),),
            unit="reqps",
            span=12,
        ),
        Panel(
            "Confidence",
            "Half of the predictions are surer.",
            (
                Query(
                    "histogram_quantile(0.5, sum by (le) (rate(prediction_confidence_bucket[5m])))", "median"
                ),
            ),
            unit="percentunit",
            maximum=1,
        ),
        Panel(
            "Feedback",
            "True answers a minute, by what became of them.",
            (Query("sum by (outcome) (rate(feedback_total[5m])) * 60", "{{outcome}}"),),
        ),
        Panel(
            "Delay of feedback",
            "Half of the true answers come later.",
            (
                Query(
                    "histogram_quantile(0.5, sum by (le) (increase(feedback_delay_seconds_bucket[1h])))",
                    "median",
                ),
            ),
            unit="s",
        ),
    ),
)

DRIFT = Dashboard(
    "rebento-drift",
    "Rebento: Drift",
    "What is asked now against what the champion learned from, by the last report.",
    (
        _number("Drift share", "Drifted columns of all.", "drift_share", "percentunit"),
        _number("Acts from", "The policy's share.", "drift_share_threshold", "percentunit"),
        _number("Target drift", "Distance of the target's distributions, 0 to 1.", "target_drift"),
        _number(
            "Last report",
            "When it ended.",
            "last_report_timestamp_seconds * 1000",
            "dateTimeFromNow",
        ),
        _number("Took", "Seconds of the last report.", "report_last_seconds", "s"),
        _number("Failed in a row", "Reports since the last good one.", "reports_failed_in_a_row"),
        Panel(
            "Drift share",
            "The policy acts where it reaches the threshold.",
            (Query("drift_share", "drift share"), Query("drift_share_threshold", "threshold")),
            unit="percentunit",
            span=12,
            maximum=1,
        ),
        Panel(
            "Columns that lie farthest away",
            "Distance from the reference, 0 to 1.",
            (Query('topk(10, column_drift{group="input"})', "{{column}}"),),
            span=12,
            maximum=1,
        ),
        Panel(
            "Dimensions of the embedding",
            "Distance from the reference, 0 to 1.",
            (Query('topk(10, column_drift{group="embedding"})', "{{column}}"),),
            maximum=1,
        ),
        Panel(
            "Outside of what was seen",
            "Values a minute, by column.",
            (Query("sum by (column) (rate(prediction_warnings_total[5m])) * 60", "{{column}}"),),
        ),
        Panel(
            "Reports",
            "How many ended, by state.",
            (Query("reports_total", "{{state}}"), Query("reports_waiting", "waiting")),
        ),
    ),
)

LOOP = Dashboard(
    "rebento-loop",
    "Rebento: Loop",
    "What retrains, what is judged, what is promoted.",
    (
        _number(
            "In force since",
            "When the champion was put in Production.",
            "bento_in_force_since_timestamp_seconds * 1000",
            "dateTimeFromNow",
        ),
        _number("Paused", "1: nothing trains by itself.", "automation_paused"),
        _number(
            "Promotion suspended", "1: after a rollback, until a person resumes it.", "promotion_suspended"
        ),
        _number("Training now", "1: a run is at work.", "training_run_active"),
        _number("Runs waiting", "Asked for, not begun.", "training_runs_waiting"),
        _number("Staged", "Proven versions that wait for a person.", "bentos_staged"),
        Panel(
            "Training runs",
            "How many ended, by state.",
            (Query("training_runs_total", "{{state}}"),),
        ),
        Panel("Verdicts", "What the judge said.", (Query("verdicts_total", "{{decision}}"),)),
        Panel(
            "Promotions",
            "How many ended, by kind and state.",
            (Query("promotions_total", "{{kind}} {{state}}"),),
        ),
        Panel(
            "Decisions",
            "What drift, quality and suspicion led to.",
            (Query("decisions_total", "{{kind}} {{decision}}"),),
            span=12,
        ),
        Panel(
            "Seconds of a training run",
            "The last one.",
            (Query("training_run_last_seconds", "seconds"),),
            unit="s",
        ),
        Panel(
            "Runs that failed in a row",
            "Two and more alert.",
            (Query("training_runs_failed_in_a_row", "failed"),),
            span=4,
        ),
    ),
)

DASHBOARDS = (SERVICE, QUALITY, DRIFT, LOOP)

#: Name, expression and colour of what is marked in every graph.
EVENTS = (
    ("Another Bento in force", "changes(bento_in_force_since_timestamp_seconds[2m]) > 0", "green"),
    ("Rolled back", 'increase(promotions_total{kind="rollback",state="done"}[2m]) > 0', "red"),
    ("A training run ended", "changes(last_training_run_timestamp_seconds[2m]) > 0", "blue"),
)
