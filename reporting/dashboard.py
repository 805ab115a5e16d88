"""The panels of a use case's project: how its numbers went from report to report."""

from __future__ import annotations

from typing import Any

from evidently.sdk.models import DashboardModel, DashboardTabModel, PanelMetric
from evidently.sdk.panels import bar_plot_panel, counter_panel, line_plot_panel

from loop.quality_words import THREE_NUMBERS
from reporting.evidently_metrics import BalancedAccuracy, Number

_SCORES = {
    "roc_auc": "ROC AUC",
    "f1": "F1",
    "precision": "Precision",
    "recall": "Recall",
    "accuracy": "Accuracy",
}


def dashboard() -> DashboardModel:
    """All panels in one tab: Evidently 0.7.23 shows them below each other, whatever their tabs."""
    panels = [
        # Evidently's counters show 0 as "no value", and no drift is the common case: so what has not drifted.
        counter_panel("Share of inputs as before, newest report", [_number("steady_share")], size="half"),
        counter_panel("Rows, newest report", [_number("rows")], size="half"),
        line_plot_panel(
            "Drift share", [_number("drift_share"), _number("drift_threshold", "acts from")], size="half"
        ),
        line_plot_panel(
            "Drift of target and prediction",
            [_number("target_drift", "target"), _number("prediction_drift", "prediction")],
            size="half",
        ),
        line_plot_panel(
            "Quality: reference, estimated, realised",
            [_number(f"quality_{word.key}", word.key) for word in THREE_NUMBERS],
            "In the use case's metric. The estimate cannot see a changed concept.",
        ),
        line_plot_panel(
            "Balanced accuracy",
            [_metric(BalancedAccuracy, "balanced accuracy"), *_interval("balanced_accuracy")],
            size="half",
        ),
        *(
            line_plot_panel(title, [_number(name), *_interval(name)], size="half")
            for name, title in _SCORES.items()
        ),
        line_plot_panel("Answers", [_number("answers"), _number("labelled", "with a label")], size="half"),
        bar_plot_panel("Share with a label", [_number("labelled_share")], size="half"),
        bar_plot_panel("Rows of the current window", [_number("rows")], size="half"),
    ]
    tab = DashboardTabModel(title="Reports", panels=[panel.id for panel in panels])
    return DashboardModel(tabs=[tab], panels=panels)


def _interval(name: str) -> list[PanelMetric]:
    return [_number(f"{name}_low", "95 % from"), _number(f"{name}_high", "95 % to")]


def _number(name: str, legend: str | None = None) -> PanelMetric:
    return _metric(Number, legend or name.replace("_", " "), {"name": name})


def _metric(metric: Any, legend: str, labels: dict[str, str] | None = None) -> PanelMetric:
    return PanelMetric(legend=legend, metric=metric.__get_type__(), metric_labels=labels or {})
