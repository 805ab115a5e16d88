"""Geometry of charts, in percent of the drawing's width and height; the templates draw it as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from storage.overview import Realised

#: Of one window, where there are enough: of ten the share says little.
_LEAST_ROWS = 25


@dataclass(frozen=True, slots=True)
class Point:
    """One window of answers whose truth came."""

    from_ms: int
    to_ms: int
    rows: int
    share_right: float
    low: float
    high: float
    """The 95 % interval of the share."""


@dataclass(frozen=True, slots=True)
class Course:
    """Shares over a sequence of windows, as paths. y runs from `bottom` to `top`, both shares."""

    points: tuple[Point, ...]
    bottom: float
    top: float
    line: str
    """Path of the shares, on a canvas of 100 by 100."""
    band: str
    """Path of the intervals."""
    dots: str
    reference_y: float | None
    reference: float | None
    """What it was on held-out rows when the Bento was built."""
    swaps: tuple[float, ...]
    """x where another Bento began to answer."""

    @property
    def rows(self) -> int:
        return sum(point.rows for point in self.points)


def course(answers: Sequence[Realised], reference: float | None, most_points: int = 24) -> Course | None:
    """How many of the answers were right, window by window; None for fewer than 20."""
    if len(answers) < 20:
        return None
    windows = min(most_points, max(2, len(answers) // _LEAST_ROWS))
    edges = [round(place * len(answers) / windows) for place in range(windows + 1)]
    groups = [answers[start:end] for start, end in pairwise(edges)]
    points = tuple(_point(group) for group in groups)
    values = [bound for point in points for bound in (point.low, point.high)]
    values += [] if reference is None else [reference]
    bottom = max(0.0, math.floor(min(values) * 10) / 10)
    top = min(1.0, math.ceil(max(values) * 10) / 10)

    def y(share: float) -> float:
        return round(100 * (1 - (share - bottom) / ((top - bottom) or 1.0)), 2)

    xs = [round(100 * (place + 0.5) / windows, 2) for place in range(windows)]
    line = _path([(x, y(point.share_right)) for x, point in zip(xs, points, strict=True)])
    upper = [(x, y(point.high)) for x, point in zip(xs, points, strict=True)]
    lower = [(x, y(point.low)) for x, point in zip(xs, points, strict=True)]
    swaps = tuple(
        round(100 * place / len(answers), 2)
        for place in range(1, len(answers))
        if answers[place].bento != answers[place - 1].bento
    )
    return Course(
        points=points,
        bottom=bottom,
        top=top,
        line=line,
        band=_path([*upper, *reversed(lower)]) + "Z",
        dots="".join(f"M{x} {y(point.share_right)}h0" for x, point in zip(xs, points, strict=True)),
        reference_y=None if reference is None else y(reference),
        reference=reference,
        # Two Bentos whose truths come mixed would fill the chart with lines.
        swaps=swaps if len(swaps) <= 6 else (),
    )


def wilson(right: int, rows: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); it stays within 0 and 1, also for few rows.

    >>> [round(bound, 3) for bound in wilson(8, 10)]
    [0.49, 0.943]
    """
    z = 1.959964
    share = right / rows
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)) / (1 + z * z / rows)
    return max(0.0, middle - half), min(1.0, middle + half)


def _point(group: Sequence[Realised]) -> Point:
    right = sum(answer.is_right for answer in group)
    low, high = wilson(right, len(group))
    return Point(group[0].known_at_ms, group[-1].known_at_ms, len(group), right / len(group), low, high)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in points)
