"""The dashboards are what panels.py says, and hold nothing that Grafana's own model does not know.

No Grafana server can be had here: this checks their form, not that one has drawn them.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from monitoring.grafana.panels import DASHBOARDS
from scripts.dashboards import FOLDER, built
from tests.monitoring.expressions import alerts, names_in


def _round_trip(page: dict[str, Any]) -> dict[str, Any]:
    register_default_plugins()
    again: dict[str, Any] = json.loads(json.dumps(Dashboard.from_json(page), cls=JSONEncoder))
    return again


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda one: one.uid)
def test_the_file_is_what_the_panels_say(dashboard: Any) -> None:
    path = FOLDER / f"{dashboard.uid}.json"
    assert path.read_text(encoding="utf-8") == built(dashboard), "run `python -m scripts.dashboards`"


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda one: one.uid)
def test_nothing_is_lost_on_the_way_through_grafanas_model(dashboard: Any) -> None:
    page = json.loads((FOLDER / f"{dashboard.uid}.json").read_text(encoding="utf-8"))
    assert _round_trip(page) == page
    misspelt = json.loads(json.dumps(page).replace('"legendFormat"', '"legendformat"'))
    assert _round_trip(misspelt) != misspelt


def test_panels_do_not_overlap_and_fit_the_page() -> None:
    for dashboard in DASHBOARDS:
        page = json.loads((FOLDER / f"{dashboard.uid}.json").read_text(encoding="utf-8"))
        taken: set[tuple[int, int]] = set()
        for panel in page["panels"]:
            at = panel["gridPos"]
            cells = {
                (x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
            }
            assert not cells & taken and max(x for x, _ in cells) < 24
            taken |= cells
            assert panel["description"] and panel["targets"]


def test_every_panel_asks_the_chosen_hosts_alone_but_for_the_pages() -> None:
    for dashboard in DASHBOARDS:
        page = json.loads((FOLDER / f"{dashboard.uid}.json").read_text(encoding="utf-8"))
        (variable,) = page["templating"]["list"]
        assert variable["name"] == "instance"
        asked = [target["expr"] for panel in page["panels"] for target in panel["targets"]]
        asked += [one["expr"] for one in page["annotations"]["list"] if "expr" in one]
        for expr in asked:
            names = names_in(expr)
            assert names
            filters = expr.count('{instance=~"$instance"')
            assert filters == (0 if names == {"rebento:page_seconds:p95_5m"} else len(names)), expr


def test_a_number_has_colours_of_its_own_and_a_word_for_nothing() -> None:
    """Grafana's own show whatever is above 80 in red."""
    for dashboard in DASHBOARDS:
        page = json.loads((FOLDER / f"{dashboard.uid}.json").read_text(encoding="utf-8"))
        for panel in page["panels"]:
            if panel["type"] == "stat":
                defaults = panel["fieldConfig"]["defaults"]
                assert defaults["thresholds"]["steps"][0] == {"color": "text", "value": None}
                assert defaults["noValue"]
                # What is now: over a range each Bento of the last days would be in force.
                assert [(one["instant"], one["range"]) for one in panel["targets"]] == [(True, False)]


def test_panels_name_alerts_that_there_are() -> None:
    there = {alert["alert"] for alert in alerts()}
    named = {panel.alert for dashboard in DASHBOARDS for panel in dashboard.panels if panel.alert}
    assert named <= there
    assert len(named) > 10


def test_what_is_written_into_grafana_is_shown() -> None:
    """Only a query for their tag brings annotations that belong to no dashboard into its graphs."""
    for dashboard in DASHBOARDS:
        page = json.loads((FOLDER / f"{dashboard.uid}.json").read_text(encoding="utf-8"))
        shown = page["annotations"]["list"][0]
        assert shown["datasource"]["uid"] == "-- Grafana --"
        assert (shown["target"]["type"], shown["target"]["tags"]) == ("tags", ["rebento"])
