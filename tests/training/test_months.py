"""A new monthly snapshot and no service yet: what a person trains is judged on the new month's holdout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loop.holdout import is_holdout
from storage.database import Database
from storage.verdicts import verdicts_of_run
from storage.versions import champion
from tests.training.conftest import use_case_of, visits
from training.run import train
from use_cases.use_case import UseCase

pytestmark = pytest.mark.slow
MONTHS = ("2024-01-31", "2024-02-29")


def month(number: int, rows: int) -> pd.DataFrame:
    """Persons of one month; in the second they do the opposite."""
    frame = visits(rows, seed=number).assign(person=[f"m{number}-{i}" for i in range(rows)])
    if number:
        frame["visited"] = np.where(frame["visited"] == "yes", "no", "yes")
    return frame


def use_case(months: int) -> UseCase:
    dated = [{"date": date, "parquet": f"{date}.parquet"} for date in MONTHS[:months]]
    return use_case_of(candidates={"logistic_regression": {}}, source={"snapshots": dated})


def test_a_new_month_is_judged_on_its_own_reference_holdout(tmp_path: Path) -> None:
    for number, rows in ((0, 600), (1, 1_500)):
        month(number, rows).to_parquet(tmp_path / f"{MONTHS[number]}.parquet")
    database = Database.open(f"sqlite:///{tmp_path / 'rebento.sqlite'}")
    database.migrate()
    first, second = (
        train(use_case(months), home=tmp_path, data=tmp_path, database=database) for months in (1, 2)
    )
    with database.reading() as connection:
        told = verdicts_of_run(connection, second.run_id)
        holder = champion(connection, "visits")
    database.close()
    assert first.promoted and holder is not None and holder.tag == first.bento
    held = sum(is_holdout(f"m1-{i}", 0.2, "visits") for i in range(1_500))
    assert told and {one.rows for one in told} == {held}
    best = told[0]
    assert best.decision == "promote" and best.bento == second.bento and (best.low or 0) > 0
    assert not second.promoted and f"`rebento promote {second.bento}`" in second.verdict
