"""`rebento feedback FILE`: all of it stored once, or nothing of it and the wrong row named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import func, select

from files.feedback import FileReceipt, load_feedback
from installation import Installation
from loop.refusals import DataNotFound, InvalidRows, UnknownPrediction
from settings import read_settings
from storage import schema
from storage.database import Database
from tests.homes import Home

pytestmark = pytest.mark.slow
Load = Callable[[Path], FileReceipt]


@pytest.fixture
def home(trained: Home, tmp_path: Path) -> Home:
    return trained.copy(tmp_path / "home")


@contextmanager
def database_of(home: Home) -> Iterator[Database]:
    with closing(Database.open(home.database_url)) as database:
        yield database


def loading(home: Home) -> Load:
    """The command without its process: opens the champion as `rebento feedback` does."""

    def load(file: Path) -> FileReceipt:
        place = Installation.find(read_settings(home.environment))
        with place.engine() as engine:
            return load_feedback(engine, file, lambda rows: None)

    return load


def predicted(home: Home, rows: pd.DataFrame) -> list[str]:
    """Ids of logged predictions of these rows."""
    with Installation.find(read_settings(home.environment)).engine() as engine:
        given = engine.predict(rows.astype(object).where(rows.notna(), None).to_dict("records"))
    return [prediction["prediction_id"] for prediction in given["predictions"]]


def stored(home: Home) -> dict[str, list[str]]:
    """Prediction id -> the targets told of it, in the order they came."""
    told = schema.feedback
    found: dict[str, list[str]] = {}
    with database_of(home) as database, database.reading() as connection:
        for name, target in connection.execute(
            select(told.c.prediction_id, told.c.target).order_by(told.c.feedback_id)
        ):
            found.setdefault(name, []).append(target)
    return found


def labelled_rows(home: Home) -> int:
    with database_of(home) as database, database.reading() as connection:
        return int(
            connection.scalar(
                select(func.count()).select_from(schema.predictions).where(schema.predictions.c.is_labelled)
            )
            or 0
        )


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_ids_and_targets_are_joined_to_their_predictions(
    home: Home, unlabelled: pd.DataFrame, labelled: pd.DataFrame, tmp_path: Path, ending: str
) -> None:
    ids = predicted(home, unlabelled.drop(columns=["person", "year"]))
    told = pd.DataFrame({"prediction_id": ids, "target": labelled["doctor_visit"], "source": "survey"})
    file = tmp_path / f"told.{ending}"
    told.to_parquet(file) if ending == "parquet" else told.to_csv(file, index=False)
    receipt = loading(home)(file)
    assert receipt == FileReceipt(accepted=30, pending=0, production_rows=30, training_runs=())
    assert stored(home) == {
        name: [target] for name, target in zip(ids, labelled["doctor_visit"], strict=True)
    }
    with database_of(home) as database, database.reading() as connection:
        assert set(connection.scalars(select(schema.feedback.c.source))) == {"survey"}


def test_whole_rows_are_predicted_on_arrival_and_a_file_loaded_twice_is_stored_once(
    home: Home, labelled: pd.DataFrame, tmp_path: Path
) -> None:
    doubled = pd.concat([labelled, labelled.iloc[:2]], ignore_index=True)  # two persons said the same twice
    doubled.to_csv(tmp_path / "rows.csv", index=False)
    load = loading(home)
    assert load(tmp_path / "rows.csv").production_rows == 32
    assert load(tmp_path / "rows.csv").production_rows == 32
    assert labelled_rows(home) == 32
    assert [len(targets) for targets in stored(home).values()] == [1] * 32
    with database_of(home) as database, database.reading() as connection:
        origins = connection.execute(
            select(schema.predictions.c.origin, schema.predictions.c.entity_id)
        ).all()
    assert {origin for origin, _ in origins} == {"feedback"}
    assert {entity for _, entity in origins} == set(labelled["person"].astype(str))


def test_rows_that_another_file_brought_already_are_not_stored_again(
    home: Home, labelled: pd.DataFrame, tmp_path: Path
) -> None:
    """Whole numbers read as 3.0 beside a 3.5 are the same rows as those read as 3 alone."""
    labelled = labelled.copy()
    labelled.loc[:9, "income"] = labelled["income"].round()
    labelled.iloc[:10].astype({"income": int}).to_csv(tmp_path / "first.csv", index=False)
    labelled.to_csv(tmp_path / "all.csv", index=False)
    load = loading(home)
    assert load(tmp_path / "first.csv").production_rows == 10
    assert load(tmp_path / "all.csv").production_rows == 30


def test_keys_of_the_file_decide_what_is_the_same(home: Home, labelled: pd.DataFrame, tmp_path: Path) -> None:
    load = loading(home)
    labelled.assign(key=[f"form-{n}" for n in range(30)]).to_csv(tmp_path / "keyed.csv", index=False)
    load(tmp_path / "keyed.csv")
    later = labelled.assign(key=[f"form-{n}" for n in range(20, 50)])
    later.to_csv(tmp_path / "later.csv", index=False)
    assert load(tmp_path / "later.csv").production_rows == 50


def test_a_column_named_target_does_as_well_as_the_targets_own_name(
    home: Home, labelled: pd.DataFrame, tmp_path: Path
) -> None:
    labelled.rename(columns={"doctor_visit": "target"}).to_csv(tmp_path / "rows.csv", index=False)
    assert loading(home)(tmp_path / "rows.csv").accepted == 30


def test_one_wrong_row_refuses_the_file_and_is_named_by_its_place_in_it(
    home: Home, labelled: pd.DataFrame, tmp_path: Path
) -> None:
    many = pd.concat([labelled] * 70, ignore_index=True).astype({"age": object})  # more than one chunk
    many.loc[2050, "age"] = "old"
    many.to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(
        InvalidRows, match=r"row 2050 of the file, age: .*'old'.*nothing of it was stored"
    ) as refused:
        loading(home)(tmp_path / "rows.csv")
    assert [(p.row, p.column) for p in refused.value.detail] == [(2050, "age")]
    assert stored(home) == {} and labelled_rows(home) == 0


def test_a_target_that_is_no_class_or_missing_refuses_the_file(
    home: Home, labelled: pd.DataFrame, tmp_path: Path
) -> None:
    load = loading(home)
    for wrong, said in (
        ("perhaps", "row 7 of the file, target: 'perhaps' is no class"),
        (None, "is missing"),
    ):
        rows = labelled.copy()
        rows.loc[7, "doctor_visit"] = wrong
        rows.to_csv(tmp_path / "rows.csv", index=False)
        with pytest.raises(InvalidRows, match=said):
            load(tmp_path / "rows.csv")
    assert stored(home) == {}


def test_an_invented_prediction_id_refuses_the_file(
    home: Home, unlabelled: pd.DataFrame, tmp_path: Path
) -> None:
    ids = predicted(home, unlabelled)
    ids[3] = "0" * 36
    pd.DataFrame({"prediction_id": ids, "target": "yes"}).to_csv(tmp_path / "told.csv", index=False)
    with pytest.raises(UnknownPrediction, match="row 3 of the file, prediction_id"):
        loading(home)(tmp_path / "told.csv")
    assert stored(home) == {}


def test_files_that_cannot_be_feedback_say_what_is_needed(
    home: Home, labelled: pd.DataFrame, unlabelled: pd.DataFrame, tmp_path: Path
) -> None:
    load = loading(home)
    unlabelled.to_csv(tmp_path / "bare.csv", index=False)
    with pytest.raises(InvalidRows, match=r"no column target \(nor doctor_visit\)"):
        load(tmp_path / "bare.csv")
    labelled.drop(columns=["age", "sex"]).to_csv(tmp_path / "lacking.csv", index=False)
    with pytest.raises(InvalidRows, match="lacks required columns: age, sex"):
        load(tmp_path / "lacking.csv")
    labelled.iloc[:0].to_csv(tmp_path / "none.csv", index=False)
    labelled.iloc[:0].to_parquet(tmp_path / "none.parquet", index=False)
    for name in ("none.csv", "none.parquet"):
        with pytest.raises(InvalidRows, match=f"{name} has no rows"):
            load(tmp_path / name)
    with pytest.raises(DataNotFound, match=r"There is no file .*nowhere\.csv"):
        load(tmp_path / "nowhere.csv")


def test_a_file_may_hold_more_rows_than_one_call(
    trained: Home, labelled: pd.DataFrame, tmp_path: Path
) -> None:
    small = trained.copy(tmp_path / "home", REBENTO_MAX_ROWS="7")
    labelled.to_csv(tmp_path / "rows.csv", index=False)
    assert loading(small)(tmp_path / "rows.csv").production_rows == 30


def test_a_file_that_crosses_k_asks_for_one_training_run_each_time(
    home: Home, labelled: pd.DataFrame, tmp_path: Path
) -> None:
    many = pd.concat([labelled] * 70, ignore_index=True)
    many.to_csv(tmp_path / "rows.csv", index=False)  # 2,100 rows, k is 1,000
    receipt = loading(home)(tmp_path / "rows.csv")
    assert receipt.production_rows == 2_100
    assert len(receipt.training_runs) == len(set(receipt.training_runs)) >= 1
    run = home.rebento("feedback", tmp_path / "rows.csv")
    assert run.stdout.startswith("2,100 accepted") and "2,100 labelled production rows" in run.stdout
    assert "training requested" not in run.stdout
