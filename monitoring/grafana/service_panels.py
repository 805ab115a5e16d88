"""Does it answer, and how well: the dashboards Service and Model quality."""

from __future__ import annotations

from monitoring.grafana.shapes import Dashboard, Panel, Query, number

SERVICE = Dashboard(
    "rebento-service",
    "Rebento: Service",
    "Does it answer, how fast, and is everything stored?",
    (
        number("Up", "1: Prometheus reads the runner.", 'up{job="rebento"}'),
        number("Requests", "Calls a second, over five minutes.", "sum(rebento:requests:rate5m)", "reqps"),
        number("Errors", "Share of answers with a status of 5xx.", "rebento:errors:share5m", "percentunit"),
        number(
            "p99 of /predict",
            "One call in a hundred takes longer.",
            'rebento:latency_seconds:p99_5m{route="/predict"}',
            "s",
        ),
        number(
            "Waiting to be stored", "Predictions answered and not stored yet.", "prediction_log_waiting_rows"
        ),
        number("Disk free", "Share of the disk of REBENTO_HOME.", "rebento:disk_free:share", "percentunit"),
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
        number("Bento in force", "Which one answers.", "bento_in_force", legend="{{bento}}"),
        number(
            "Below its reference",
            "1: realised quality is proven to be below by more than the margin.",
            "quality_below_reference",
        ),
        number("Labelled", "Share of the last seven days' predictions.", "label_coverage", "percentunit"),
        number("Production rows", "Predictions ever labelled.", "production_rows"),
        number(
            "Last label",
            "When anything about labels last changed.",
            "last_label_timestamp_seconds * 1000",
            "dateTimeFromNow",
        ),
        number("In quarantine", "True answers that wait for a person.", "quarantined_rows"),
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
