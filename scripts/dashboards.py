"""Writes monitoring/grafana/dashboards/*.json from panels.py: `python scripts/dashboards.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import dashboard as grafana
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import GraphDrawStyle, LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef, GridPos

from monitoring.grafana.panels import DASHBOARDS, EVENTS
from monitoring.grafana.shapes import Dashboard, Panel

FOLDER = Path(__file__).resolve().parents[1] / "monitoring" / "grafana" / "dashboards"
_SOURCE = DataSourceRef(type_val="prometheus", uid="rebento-prometheus")
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
        .time("now-6h", "now")
        .timezone("browser")
    )
    for name, expr, colour in EVENTS:
        page.annotation(
            grafana.AnnotationQuery()
            .name(name)
            .datasource(_SOURCE)
            .enable(True)
            .icon_color(colour)
            .expr(expr)
        )
    left = top = tallest = 0
    for number, panel in enumerate(dashboard.panels, 1):
        height = _HEIGHTS.get(panel.shape, 8)
        if left + panel.span > _COLUMNS:
            left, top, tallest = 0, top + tallest, 0
        page.with_panel(_panel(panel).id(number).grid_pos(GridPos(h=height, w=panel.span, x=left, y=top)))
        left, tallest = left + panel.span, max(tallest, height)
    return json.dumps(page.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _panel(panel: Panel) -> Any:
    if panel.shape == "number":
        shown: Any = stat.Panel().reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
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
    shown = shown.title(panel.title).description(panel.description).unit(panel.unit).datasource(_SOURCE)
    if panel.minimum is not None:
        shown = shown.min(panel.minimum)
    if panel.maximum is not None:
        shown = shown.max(panel.maximum)
    for place, query in enumerate(panel.queries):
        shown = shown.with_target(
            prometheus.Dataquery()
            .expr(query.expr)
            .legend_format(query.legend)
            .ref_id(chr(ord("A") + place))
            .range()
        )
    return shown


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for dashboard in DASHBOARDS:
        (FOLDER / f"{dashboard.uid}.json").write_text(built(dashboard), encoding="utf-8")


if __name__ == "__main__":
    main()
