"""What has changed, and what was done about it: the dashboards Drift and Loop."""

from __future__ import annotations

from monitoring.grafana.shapes import Dashboard, Panel, Query, number

DRIFT = Dashboard(
    "rebento-drift",
    "Rebento: Drift",
    "What is asked now against what the champion learned from, by the last report.",
    (
        number("Drift share", "Drifted columns of all.", "drift_share", "percentunit"),
        number("Acts from", "The policy's share.", "drift_share_threshold", "percentunit"),
        number("Target drift", "Distance of the target's distributions, 0 to 1.", "target_drift"),
        number(
            "Last report",
            "When it ended.",
            "last_report_timestamp_seconds * 1000",
            "dateTimeFromNow",
        ),
        number("Took", "Seconds of the last report.", "report_last_seconds", "s"),
        number("Failed in a row", "Reports since the last good one.", "reports_failed_in_a_row"),
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
        number(
            "In force since",
            "When the champion was put in Production.",
            "bento_in_force_since_timestamp_seconds * 1000",
            "dateTimeFromNow",
        ),
        number("Paused", "1: nothing trains by itself.", "automation_paused"),
        number(
            "Promotion suspended", "1: after a rollback, until a person resumes it.", "promotion_suspended"
        ),
        number("Training now", "1: a run is at work.", "training_run_active"),
        number("Runs waiting", "Asked for, not begun.", "training_runs_waiting"),
        number("Staged", "Proven versions that wait for a person.", "bentos_staged"),
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
