"""Does it answer, and how well: the dashboards Service and Model quality."""

from __future__ import annotations

from monitoring.grafana.shapes import Dashboard, Panel, Query, flag, number

SERVICE = Dashboard(
    "rebento-service",
    "Rebento: Service",
    "Does it answer, how fast, and is everything stored?",
    (
        flag(
            "Up", "Prometheus reads the runner.", 'min(up{job="rebento"})', is_good=True, alert="RebentoDown"
        ),
        number("Requests", "Calls a second, over five minutes.", "sum(rebento:requests:rate5m)", "reqps"),
        number(
            "Errors",
            "Share of answers with a status of 5xx.",
            "max(rebento:errors:share5m)",
            "percentunit",
            steps=((0.001, "orange"), (0.01, "red")),
            alert="RebentoErrors",
        ),
        number(
            "p99 of /predict",
            "One call in a hundred takes longer.",
            'max(rebento:latency_seconds:p99_5m{route="/predict"})',
            "s",
            steps=((0.1, "orange"), (0.25, "red")),
            alert="RebentoSlow",
        ),
        number(
            "Waiting to be stored",
            "Predictions answered and not stored yet.",
            "sum(prediction_log_waiting_rows)",
            steps=((5000, "red"),),
            alert="RebentoLogWaits",
        ),
        number(
            "Disk free",
            "Share of the disk of REBENTO_HOME.",
            "min(rebento:disk_free:share)",
            "percentunit",
            steps=((0, "red"), (0.1, "orange"), (0.2, "green")),
            alert="RebentoDiskNearlyFull",
        ),
        Panel(
            "Requests by route",
            "Calls a second.",
            (Query("sum by (route) (rebento:requests:rate5m)", "{{route}}"),),
            unit="reqps",
            span=12,
        ),
        Panel(
            "Latency of /predict",
            "Half of the calls, and one in a hundred, take longer; of several hosts the slowest.",
            (
                Query('max(rebento:latency_seconds:p50_5m{route="/predict"})', "p50"),
                Query('max(rebento:latency_seconds:p99_5m{route="/predict"})', "p99"),
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
            (Query("sum(api_requests_in_flight)", "in flight"),),
        ),
        Panel(
            "Database writes",
            "One transaction in a hundred takes longer.",
            (Query("max by (outcome) (rebento:database_write_seconds:p99_5m)", "{{outcome}}"),),
            unit="s",
        ),
        Panel(
            "Predictions lost",
            "Answered, and never stored: the queue was full.",
            (Query("sum(increase(prediction_log_lost_total[5m]))", "lost in 5 minutes"),),
            alert="RebentoLogLost",
        ),
        Panel(
            "Pages",
            "One page in twenty takes longer.",
            (Query("max by (route) (rebento:page_seconds:p95_5m)", "{{route}}"),),
            unit="s",
        ),
        Panel(
            "Processes",
            "1: said lately that it is there.",
            (Query("max by (process) (process_up)", "{{process}}"),),
            maximum=1,
            alert="RebentoTrainerSilent",
        ),
    ),
)

QUALITY = Dashboard(
    "rebento-quality",
    "Rebento: Model quality",
    "What was promised, what is estimated without labels, what the labels say.",
    (
        number("Bento in force", "Which one answers.", "max by (bento) (bento_in_force)", legend="{{bento}}"),
        flag(
            "Below its reference",
            "Realised quality is proven to be below by more than the margin.",
            "max(quality_below_reference)",
            alert="RebentoQualityBelowReference",
        ),
        number(
            "Labelled", "Share of the last seven days' predictions.", "max(label_coverage)", "percentunit"
        ),
        number("Production rows", "Predictions ever labelled.", "max(production_rows)"),
        number(
            "Last label",
            "When anything about labels last changed.",
            "max(last_label_timestamp_seconds) * 1000",
            "dateTimeFromNow",
            alert="RebentoNoLabels",
        ),
        number(
            "In quarantine",
            "True answers that wait for a person.",
            "max(quarantined_rows)",
            steps=((1, "orange"),),
            alert="RebentoQuarantine",
        ),
        Panel(
            "Reference, estimated, realised",
            "The deciding metric by the last report. The estimate cannot see a changed concept.",
            (Query("max by (kind, metric) (quality)", "{{kind}} {{metric}}"),),
            span=12,
            minimum=None,
        ),
        Panel(
            "Predictions by class",
            "A second.",
            (Query("sum by (prediction) (rebento:predictions:rate5m)", "{{prediction}}"),),
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
    hours=168,
)
