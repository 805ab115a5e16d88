"""Writes monitoring/grafana/dashboards/*.json from panels.py: `python scripts/dashboards.py`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import dashboard as grafana
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    GridPos,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
    VariableOption,
    VariableRefresh,
)

from monitoring.catalogue import METRICS
from monitoring.grafana.panels import DASHBOARDS, EVENTS, WRITTEN
from monitoring.grafana.shapes import Dashboard, Panel

FOLDER = Path(__file__).resolve().parents[1] / "monitoring" / "grafana" / "dashboards"
_SOURCE = DataSourceRef(type_val="prometheus", uid="rebento-prometheus")
#: What `rebento grafana` writes lies in Grafana itself.
_GRAFANA = DataSourceRef(type_val="grafana", uid="-- Grafana --")
_HOSTS = 'label_values(up{job="rebento"}, instance)'
_RUNNERS = sorted((metric.shown for metric in METRICS if metric.process != "pages"), key=len, reverse=True)
_NAMES = re.compile(
    rf"(?<![\w:])(?P<name>rebento:(?!page_)\w+:\w+|(?:{'|'.join(_RUNNERS)}|up)(?:_bucket)?)(?![\w:])"
    r"(?P<open>\{)?(?![^(]*\) \()"  # not the labels of `by (…)`
)
_HEIGHTS = {"number": 4, "lines": 8}
_COLUMNS = 24


def built(dashboard: Dashboard) -> str:
    """The dashboard as Grafana's JSON."""
    page = (
        grafana.Dashboard(dashboard.title)
        .uid(dashboard.uid)
        .description(dashboard.description)
        .tags(["rebento"])
        .refresh("30s")
        .time(f"now-{dashboard.hours}h", "now")
        .timezone("browser")
        .with_variable(
            grafana.QueryVariable("instance")
            .label("Host")
            .description("Each use case that is served has hosts of its own.")
            .datasource(_SOURCE)
            .query(_HOSTS)
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .include_all(True)
            .all_value(".*")
            .multi(True)
            .current(VariableOption(text="All", value="$__all"))
        )
        .link(
            grafana.DashboardLink("Rebento")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["rebento"])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
        .annotation(
            grafana.AnnotationQuery()
            .name(WRITTEN)
            .datasource(_GRAFANA)
            .enable(True)
            .icon_color("purple")
            .target(grafana.AnnotationTarget().type("tags").tags(["rebento"]).match_any(False).limit(100))
        )
    )
    for name, expr, colour in EVENTS:
        page.annotation(
            grafana.AnnotationQuery()
            .name(name)
            .datasource(_SOURCE)
            .enable(True)
            .icon_color(colour)
            .expr(of_hosts(expr))
        )
    left = top = tallest = 0
    for number, panel in enumerate(dashboard.panels, 1):
        height = _HEIGHTS.get(panel.shape, 8)
        if left + panel.span > _COLUMNS:
            left, top, tallest = 0, top + tallest, 0
        page.with_panel(_panel(panel).id(number).grid_pos(GridPos(h=height, w=panel.span, x=left, y=top)))
        left, tallest = left + panel.span, max(tallest, height)
    return json.dumps(page.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def of_hosts(expr: str) -> str:
    """The same of the hosts that are chosen; the pages' own are not among them.

    >>> of_hosts('max(drift_share) / sum(api_requests_total{status="500"})')
    'max(drift_share{instance=~"$instance"}) / sum(api_requests_total{instance=~"$instance",status="500"})'
    """
    return _NAMES.sub(
        lambda found: found["name"] + '{instance=~"$instance"' + ("," if found["open"] else "}"), expr
    )


def _panel(panel: Panel) -> Any:
    if panel.shape == "number":
        shown: Any = stat.Panel().reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        # Without steps of its own Grafana shows whatever is above 80 in red.
        steps = [Threshold(value=None, color="text")]
        steps += [Threshold(value=float(value), color=colour) for value, colour in panel.steps]
        shown = (
            shown.no_value("no data")
            .graph_mode(BigValueGraphMode.NONE)
            .thresholds(grafana.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        )
        if panel.words:
            results = {
                value: ValueMappingResult(text=text, color=colour, index=place)
                for place, (value, text, colour) in enumerate(panel.words)
            }
            shown = shown.mappings([ValueMap(options=results)])
        if panel.queries[0].legend:
            shown = shown.text_mode("name")
    else:
        legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
        shown = (
            timeseries.Panel()
            .draw_style(GraphDrawStyle.LINE)
            .fill_opacity(10)
            .legend(legend.show_legend(True))
        )
    told = f"{panel.description} Alert: {panel.alert}." if panel.alert else panel.description
    if panel.alert:
        told += f" What to do: docs/runbook.md#{panel.alert.lower()}"
    shown = shown.title(panel.title).description(told).unit(panel.unit).datasource(_SOURCE)
    if panel.minimum is not None:
        shown = shown.min(panel.minimum)
    if panel.maximum is not None:
        shown = shown.max(panel.maximum)
    for place, query in enumerate(panel.queries):
        asked = prometheus.Dataquery().expr(of_hosts(query.expr)).legend_format(query.legend)
        asked = asked.ref_id(chr(ord("A") + place))
        # Over a range every Bento of the last days would be in force, and a number stay after it is gone.
        shown = shown.with_target(asked.instant() if panel.shape == "number" else asked.range())
    return shown


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for dashboard in DASHBOARDS:
        (FOLDER / f"{dashboard.uid}.json").write_text(built(dashboard), encoding="utf-8")


if __name__ == "__main__":
    main()
