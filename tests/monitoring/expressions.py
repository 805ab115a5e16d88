"""The PromQL that rules, alerts and dashboards are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from monitoring.grafana.panels import DASHBOARDS, EVENTS

FILES = Path(__file__).resolve().parents[2] / "monitoring" / "prometheus"
_WORDS = frozenset(
    "sum rate by le topk changes histogram_quantile increase time and or on count max min".split()
)


def groups(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((FILES / name).read_text(encoding="utf-8"))["groups"]
    return found


def alerts() -> list[dict[str, Any]]:
    return [rule for group in groups("alerts.yml") for rule in group["rules"]]


def records() -> list[dict[str, Any]]:
    return [rule for group in groups("rules.yml") for rule in group["rules"]]


def expressions() -> Iterator[str]:
    """Every expression of every rule, alert and dashboard."""
    for rule in (*records(), *alerts()):
        yield rule["expr"]
    yield from panels()
    for _, expr, _ in EVENTS:
        yield expr


def panels() -> Iterator[str]:
    """Every expression of every dashboard's panels."""
    for dashboard in DASHBOARDS:
        for panel in dashboard.panels:
            for query in panel.queries:
                yield query.expr


def names_in(expression: str) -> set[str]:
    """Metric names: what is neither a word of PromQL nor a label."""
    bare = re.sub(r"\{[^}]*\}|\"[^\"]*\"|\[[^\]]*\]|by \([^)]*\)", " ", expression)
    return {name for name in re.findall(r"[a-zA-Z_:][\w:]*", bare) if name not in _WORDS}


def sides(expression: str) -> list[str]:
    """What an alert compares, without the comparison, which is empty while all is well."""
    parts = re.split(r"\band\b", expression)
    return [re.split(r"\s(?:[<>]=?|[!=]=)\s", part.strip().strip("()") + " ")[0] for part in parts]
