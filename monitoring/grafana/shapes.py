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
    steps: tuple[tuple[float, str], ...] = ()
    """From which value on a number has which colour; below the first it is plain."""
    words: tuple[tuple[str, str, str], ...] = ()
    """Value, what is shown in its place, and in which colour."""
    alert: str = ""
    """The alert that goes by this; its section in docs/runbook.md says what to do."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One page of panels."""

    uid: str
    title: str
    description: str
    panels: tuple[Panel, ...]
    hours: int = 6
    """Shown at first."""


def number(
    title: str,
    description: str,
    expr: str,
    unit: str = "short",
    legend: str = "",
    steps: tuple[tuple[float, str], ...] = (),
    alert: str = "",
) -> Panel:
    query = (Query(expr, legend),)
    return Panel(title, description, query, "number", unit, span=4, steps=steps, alert=alert)


def flag(title: str, description: str, expr: str, is_good: bool = False, alert: str = "") -> Panel:
    """1 and 0 as yes and no; `is_good`: whether yes is what one wishes for."""
    yes, no = ("green", "red") if is_good else ("orange", "text")
    words = (("1", "yes", yes), ("0", "no", no))
    return Panel(title, description, (Query(expr),), "number", span=4, words=words, alert=alert)
