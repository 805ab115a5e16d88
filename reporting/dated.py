"""The rows of a source as of one date."""

from __future__ import annotations

import datetime
from pathlib import Path

import pandas as pd

from reporting.asked import NotAskable
from use_cases.kinds import dates
from use_cases.source import load_rows
from use_cases.use_case import KNOWN_AT, UseCase


def dated_rows(
    use_case: UseCase, data: Path, day: datetime.date, other: datetime.date | None
) -> pd.DataFrame:
    """The rows of one date: those of the snapshot of that day.

    Of a source without snapshots, the rows whose time lies no later than that day and, where the other
    side's date is earlier, after that one. Raises NotAskable where there are none, saying which dates there
    are, and what `load_rows` raises.
    """
    snapshots = sorted(one.date for one in use_case.source.snapshots)
    if snapshots:
        if day not in snapshots:
            raise NotAskable(
                f"{use_case.name} has no snapshot of {day}; it has {', '.join(map(str, snapshots))}"
            )
        rows = load_rows(use_case, data, day)
        return rows[rows[KNOWN_AT] == pd.Timestamp(day)].reset_index(drop=True)
    rows = load_rows(use_case, data)
    times = dates(rows[use_case.time]) if use_case.time is not None else pd.Series(dtype="datetime64[us]")
    if not times.notna().any():
        why = f"its time column {use_case.time} holds none" if use_case.time else "it names no time column"
        raise NotAskable(
            f"{use_case.name} has no dates to compare ({why}, and its source has no snapshots); compare "
            "production rows: --last-rows, --last-days, --from and --to"
        )
    within = times < pd.Timestamp(day) + pd.Timedelta(days=1)
    if other is not None and other < day:
        within &= times >= pd.Timestamp(other) + pd.Timedelta(days=1)
    if not within.any():
        after = f"after {other} and " if other is not None and other < day else ""
        raise NotAskable(
            f"{use_case.name} has no rows {after}until {day}; "
            f"its rows are of {times.min().date()} to {times.max().date()}"
        )
    return rows[within].reset_index(drop=True)
