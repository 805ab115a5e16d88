"""The rows of a source as of a date."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reporting.asked import NotAskable
from reporting.dated import dated_rows
from tests.training.conftest import use_case_of, visits
from use_cases.use_case import UseCase


def day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


@pytest.fixture
def monthly(tmp_path: Path) -> UseCase:
    """Two snapshots, of 60 and of 90 rows."""
    snapshots = []
    for date, rows in (("2024-01-31", 60), ("2024-02-29", 90)):
        visits(rows).to_parquet(tmp_path / f"{date}.parquet")
        snapshots.append({"date": date, "parquet": f"{date}.parquet"})
    return use_case_of(source={"snapshots": snapshots})


@pytest.fixture
def timed(tmp_path: Path) -> UseCase:
    """300 rows whose time is in 2020 to 2022, and one without."""
    frame = visits(300)
    frame.loc[0, "since"] = pd.NaT
    frame.to_parquet(tmp_path / "visits.parquet")
    return use_case_of(time="since")


def rows_of(use_case: UseCase, data: Path, date: str, other: str | None = None) -> pd.DataFrame:
    return dated_rows(use_case, data, day(date), None if other is None else day(other))


def test_a_date_of_snapshots_gives_that_snapshot_alone(monthly: UseCase, tmp_path: Path) -> None:
    assert len(rows_of(monthly, tmp_path, "2024-01-31", "2024-02-29")) == 60
    assert len(rows_of(monthly, tmp_path, "2024-02-29", "2024-01-31")) == 90


def test_a_date_that_is_no_snapshot_is_refused_with_those_there_are(monthly: UseCase, tmp_path: Path) -> None:
    with pytest.raises(NotAskable, match="no snapshot of 2024-02-01; it has 2024-01-31, 2024-02-29"):
        rows_of(monthly, tmp_path, "2024-02-01")


def test_a_time_column_gives_the_rows_after_the_other_date(timed: UseCase, tmp_path: Path) -> None:
    before = rows_of(timed, tmp_path, "2020-12-31", "2021-06-30")
    after = rows_of(timed, tmp_path, "2021-06-30", "2020-12-31")
    assert before["since"].max() < pd.Timestamp("2021-01-01") <= after["since"].min()
    assert after["since"].max() < pd.Timestamp("2021-07-01")
    assert len(before) + len(after) == len(rows_of(timed, tmp_path, "2021-06-30"))
    same: Any = rows_of(timed, tmp_path, "2020-12-31", "2020-12-31")
    assert same.equals(before)


def test_a_date_without_rows_is_refused_with_the_first_and_last(timed: UseCase, tmp_path: Path) -> None:
    with pytest.raises(
        NotAskable, match=r"no rows until 2019-12-31; its rows are of 2020-\d\d-\d\d to 2022-"
    ):
        rows_of(timed, tmp_path, "2019-12-31")
    with pytest.raises(NotAskable, match="no rows after 2030-01-01 and until 2030-01-02"):
        rows_of(timed, tmp_path, "2030-01-02", "2030-01-01")


@pytest.mark.parametrize("time", [None, "plan"])
def test_a_source_without_dates_is_refused(time: str | None, tmp_path: Path) -> None:
    visits(60).to_parquet(tmp_path / "visits.parquet")
    with pytest.raises(NotAskable, match="visits has no dates to compare"):
        rows_of(use_case_of(time=time), tmp_path, "2024-01-31")
