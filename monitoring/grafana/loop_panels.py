"""What has changed, and what was done about it: the dashboards Drift and Loop."""

from __future__ import annotations

from monitoring.grafana.shapes import Dashboard, Panel, Query, flag, number

DRIFT = Dashboard(
    "rebento-drift",
    "Rebento: Drift",
    "What is asked now against what the champion learned from, by the last report.",
    (
        number(
            "Drift share",
            "Drifted columns of all.",
            "max(drift_share)",
            "percentunit",
            alert="RebentoDrift",
        ),
        number("Acts from", "The policy's share.", "max(drift_share_threshold)", "percentunit"),
        number("Target drift", "Distance of the target's distributions, 0 to 1.", "max(target_drift)"),
        number(
            "Last report",
            "When it ended.",
            "max(last_report_timestamp_seconds) * 1000",
            "dateTimeFromNow",
        ),
        number("Took", "Seconds of the last report.", "max(report_last_seconds)", "s"),
        number(
            "Failed in a row",
            "Reports since the last good one.",
            "max(reports_failed_in_a_row)",
            steps=((1, "orange"), (2, "red")),
            alert="RebentoReportsFail",
        ),
        Panel(
            "Drift share",
            "The policy acts where it reaches the threshold.",
            (
                Query("max(drift_share)", "drift share"),
                Query("max(drift_share_threshold)", "threshold"),
            ),
            unit="percentunit",
            span=12,
            maximum=1,
        ),
        Panel(
            "Columns that lie farthest away",
            "Distance from the reference, 0 to 1.",
            (Query('topk(10, max by (column) (column_drift{group="input"}))', "{{column}}"),),
            span=12,
            maximum=1,
        ),
        Panel(
            "Dimensions of the embedding",
            "Distance from the reference, 0 to 1.",
            (Query('topk(10, max by (column) (column_drift{group="embedding"}))', "{{column}}"),),
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
            (
                Query("max by (state) (reports_total)", "{{state}}"),
                Query("max(reports_waiting)", "waiting"),
            ),
        ),
    ),
    hours=168,
)

LOOP = Dashboard(
    "rebento-loop",
    "Rebento: Loop",
    "What retrains, what is judged, what is promoted.",
    (
        number(
            "In force since",
            "When the champion was put in Production.",
            "max(bento_in_force_since_timestamp_seconds) * 1000",
            "dateTimeFromNow",
        ),
        flag("Paused", "Nothing trains by itself.", "max(automation_paused)", alert="RebentoPaused"),
        flag(
            "Promotion suspended",
            "After a rollback, until a person resumes it.",
            "max(promotion_suspended)",
            alert="RebentoRolledBack",
        ),
        number("Training now", "1: a run is at work.", "max(training_run_active)"),
        number("Runs waiting", "Asked for, not begun.", "max(training_runs_waiting)"),
        number(
            "Staged",
            "Proven versions that wait for a person.",
            "max(bentos_staged)",
            steps=((1, "orange"),),
            alert="RebentoStaged",
        ),
        Panel(
            "Training runs",
            "How many ended, by state.",
            (Query("max by (state) (training_runs_total)", "{{state}}"),),
        ),
        Panel(
            "Verdicts",
            "What the judge said.",
            (Query("max by (decision) (verdicts_total)", "{{decision}}"),),
        ),
        Panel(
            "Promotions",
            "How many ended, by kind and state.",
            (Query("max by (kind, state) (promotions_total)", "{{kind}} {{state}}"),),
            alert="RebentoPromotionFailed",
        ),
        Panel(
            "Decisions",
            "What drift, quality and suspicion led to.",
            (Query("max by (kind, decision) (decisions_total)", "{{kind}} {{decision}}"),),
            span=12,
        ),
        Panel(
            "Seconds of a training run",
            "The last one.",
            (Query("max(training_run_last_seconds)", "seconds"),),
            unit="s",
        ),
        Panel(
            "Runs that failed in a row",
            "Two and more alert.",
            (Query("max(training_runs_failed_in_a_row)", "failed"),),
            alert="RebentoTrainingFails",
            span=4,
        ),
    ),
    hours=168,
)
