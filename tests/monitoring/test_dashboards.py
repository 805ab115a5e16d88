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
