"""What a dashboard is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Shape = Literal["lines", "number"]


@dataclass(frozen=True, slots=True)
class Query:
    """One expression and what its series are called (Grafana's `{{label}}`)."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture."""

    title: str
    description: str
    queries: tuple[Query, ...]
    shape: Shape = "lines"
    unit: str = "short"
    """Grafana's unit: 's', 'percentunit', 'reqps', 'bytes', 'dateTimeFromNow', …"""
    span: int = 8
    """Of 24 columns."""
    minimum: float | None = 0
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One page of panels."""

    uid: str
    title: str
    description: str
    panels: tuple[Panel, ...]


def number(title: str, description: str, expr: str, unit: str = "short", legend: str = "") -> Panel:
    return Panel(title, description, (Query(expr, legend),), "number", unit, span=4)
