"""The rows of an instant, reference and production, in one snapshot."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loop.refusals import UseCaseMistake
from storage.database import Database
from storage.labelled import settled_instant
from storage.quarantine import release_source, suspend_source
from tests.training.conftest import use_case_of, visits
from tests.training.production import K, correct, stream
from training.ages import Ages
from training.gathering import KNOWN_AT_MS, PREDICTION_ID, Gathered, end_of_day_ms, gather
from training.preparation import prepare
from training.snapshot import read_snapshot, storable
from use_cases.use_case import UseCase

NOW = 1_700_000_000_000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path / 'rebento.sqlite'}")
    opened.migrate()
    visits().to_parquet(tmp_path / "visits.parquet")
    yield opened
    opened.close()


def gathered(
    database: Database, folder: Path, instant_ms: int | None = None, use_case: UseCase | None = None
) -> Gathered:
    wanted = use_case or use_case_of()
    with database.writing() as connection:
        settled = settled_instant(connection, wanted.name)
    return gather(
        wanted,
        data=folder,
        home=folder,
        database=database,
        as_of=None,
        instant_ms=settled if instant_ms is None else instant_ms,
    )


def test_without_production_rows_the_snapshot_is_the_reference_alone(
    database: Database, tmp_path: Path
) -> None:
    found = gathered(database, tmp_path)
    assert list(found.rows.columns) == list(visits().columns) and found.production_rows == 0


def test_the_same_instant_gives_the_same_rows_whatever_came_later(database: Database, tmp_path: Path) -> None:
    use_case = use_case_of()
    stream(database, use_case, visits(120, seed=1), at_ms=NOW, sources=("clinic", "desk"))
    first = gathered(database, tmp_path)
    assert first.production_rows == 120 and len(first.rows) == 720

    correct(database, use_case, "p2", "no", at_ms=NOW + 60_000)
    stream(database, use_case, visits(30, seed=2), at_ms=NOW + 61_000, name="later")
    with database.writing() as connection:
        suspend_source(connection, "visits", "desk", reason="odd", at_ms=NOW + 62_000, since_ms=0)
    again = gathered(database, tmp_path, first.instant_ms)
    assert again.digest == first.digest and again.rows.equals(first.rows)
    assert read_snapshot(first.digest, tmp_path / "snapshots").equals(first.rows)

    present = gathered(database, tmp_path)
    assert present.production_rows == 60 + 30, "what is in quarantine takes no part"
    assert present.digest != first.digest
    with database.writing() as connection:
        release_source(connection, "visits", "desk", actor="person", k=K, at_ms=NOW + 63_000)
    assert gathered(database, tmp_path).production_rows == 150


def test_production_rows_have_the_form_of_the_reference_rows(database: Database, tmp_path: Path) -> None:
    """So that contract and identities do not depend on where a row came from."""
    frame = visits(200, seed=3)
    stream(database, use_case_of(), frame, at_ms=NOW)
    rows = gathered(database, tmp_path).rows
    tail = rows.iloc[600:].reset_index(drop=True)
    expected = storable(frame)
    for name in expected.columns:
        pd.testing.assert_series_equal(tail[name], expected[name], check_dtype=False)
    assert rows["since"].dtype.kind == "M" and rows["age"].dtype.kind == "f"
    assert tail[PREDICTION_ID].tolist() == [f"p{i}" for i in range(200)]
    assert rows[KNOWN_AT_MS].iloc[:600].isna().all() and tail[KNOWN_AT_MS].is_monotonic_increasing


def test_a_production_row_is_held_out_where_the_service_said_so(database: Database, tmp_path: Path) -> None:
    use_case = use_case_of(id=None, ignore=["person"])
    stream(database, use_case, visits(300, seed=4).drop(columns="person"), at_ms=NOW)
    rows = gathered(database, tmp_path, use_case=use_case).rows
    prepared = prepare(use_case, rows)
    with database.reading() as connection:
        found = connection.exec_driver_sql("SELECT prediction_id FROM predictions WHERE is_holdout").scalars()
        said = set(found)
    held = rows[PREDICTION_ID].iloc[prepared.holdout_places].dropna()
    assert set(held) == said and len(said) > 30


def test_rows_of_other_columns_or_classes_are_left_out_and_counted(
    database: Database, tmp_path: Path
) -> None:
    odd = visits(40, seed=5).astype({"age": object})
    odd.loc[:4, "age"] = "old"
    odd["gone"] = "a column of former times"
    odd.loc[10:12, "visited"] = "perhaps"
    stream(database, use_case_of(kinds={"age": "category"}), odd, at_ms=NOW)
    found = gathered(database, tmp_path, use_case=use_case_of(classes=["no", "yes"]))
    assert found.left_out["production rows of other columns"] == 5
    assert found.left_out["of other classes"] == 3
    assert found.production_rows == 32 and "gone" not in found.rows.columns


def test_a_column_of_the_users_with_our_name_is_refused(database: Database, tmp_path: Path) -> None:
    visits().assign(**{PREDICTION_ID: "mine"}).to_parquet(tmp_path / "visits.parquet")
    with pytest.raises(UseCaseMistake, match=PREDICTION_ID):
        gathered(database, tmp_path)


def test_a_day_ends_at_its_last_millisecond() -> None:
    assert end_of_day_ms(datetime.date(1970, 1, 1)) == 86_400_000 - 1


def test_newer_rows_have_fewer_rows_since() -> None:
    rows = pd.DataFrame(
        {
            "known_at": pd.to_datetime(["2024-01-31", "2024-01-31", "2024-02-29", None, None]),
            KNOWN_AT_MS: [np.nan, np.nan, np.nan, 2.0, 2.0],
        }
    )
    ages = Ages.of(None, rows)
    assert ages.rows_since(np.arange(5)).tolist() == [3.5, 3.5, 2.0, 1.0, 0.0]
    assert ages.newest(np.arange(5), 3).tolist() == [2, 3, 4]
    older = Ages.of(None, rows.iloc[:2])
    assert ages.beyond(older.horizon()).tolist() == [False, False, True, True, True]
    assert not ages.beyond(ages.horizon()).any()
