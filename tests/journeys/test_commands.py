"""The command line as a person types it: real files, real folders, real exit codes."""

from __future__ import annotations

import gzip
import re
import subprocess
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import func, inspect, select, update

from storage import schema
from storage.database import Database
from tests.databases import only_on_sqlite
from tests.homes import BIN, Home, free_port, serving, wait_for
from tests.journeys.command_line import Folder, column, refused, stages
from tests.shared_data import DATA

pytestmark = pytest.mark.slow
DAY_MS = 86_400_000
Settings = Callable[[], dict[str, str]]


@pytest.fixture(scope="module")
def churn(tmp_path_factory: pytest.TempPathFactory, new_database: Settings) -> tuple[Folder, str, str]:
    """An empty folder with telco_churn.csv in it, after init and train; with what the two said."""
    folder = tmp_path_factory.mktemp("churn")
    raw = gzip.decompress((DATA / "telco_churn.csv.gz").read_bytes())
    (folder / "telco_churn.csv").write_bytes(raw)
    home = Folder(folder, "telco_churn", new_database())
    said = home.rebento("init", "telco_churn.csv", "--target", "Churn", "--id", "customerID").stdout
    return home, said, home.rebento("train").stdout


# What is made of a file does not hang on the database.
@only_on_sqlite
def test_a_csv_becomes_a_model_of_at_least_83_percent_auc_by_two_commands(
    churn: tuple[Folder, str, str],
) -> None:
    home, init, train = churn
    assert "TotalCharges is blank in 11 rows" in init
    assert init.splitlines()[-1] == "Next: rebento train"
    assert {path.name for path in home.folder.iterdir()} >= {"telco_churn.csv", "use_cases", "var"}
    aucs = {name: float(value) for name, value in re.findall(r"│ (\w+) +│ (0\.\d+) ±", train)}
    assert set(aucs) == {"random_forest", "logistic_regression", "hist_gradient_boosting", "sgd"}
    assert max(aucs.values()) >= 0.83
    assert train.rstrip().splitlines()[-1].startswith("PROMOTED telco_churn:")
    (rows,) = column(home, schema.runs.c.rows_json)
    assert '"break the contract": 0' in rows  # the eleven blanks are missing values, not lost rows


# What is made of a file does not hang on the database.
@only_on_sqlite
def test_the_model_of_a_csv_is_served_by_a_third_command(churn: tuple[Folder, str, str]) -> None:
    home = churn[0]
    port = free_port()
    customer = pd.read_csv(home.folder / "telco_churn.csv", nrows=1, dtype={"customerID": str})
    with serving(home, [str(BIN / "rebento"), "up"], port) as server:
        (answer,) = server.predict(*customer.drop(columns="Churn").to_dict("records"))
        assert set(answer["probabilities"]) == {"No", "Yes"}
        refusal = server.call("/predict", {"rows": [{"tenure": 1}]})
        assert refusal.status == 400 and "MonthlyCharges" in refusal.json["missing_features"]
        # Printed once the supervisor has seen its worker ready, which this test may have seen before.
        wait_for(
            lambda: f"http://127.0.0.1:{port}/predict" in server.log.read_text(), "the list of addresses"
        )


def test_train_keeps_a_champion_and_promote_replaces_it(trained: Home, tmp_path: Path) -> None:
    home = trained.copy(tmp_path)
    (first,) = home.tags()
    run = home.rebento("train")  # exit code 0 although the champion stays
    verdict = run.stdout.rstrip().splitlines()[-1]
    second = home.tags()[-1]
    assert verdict.startswith(f"KEPT {second}") and f"rebento promote {second}" in verdict
    assert stages(home) == {first: "Production", second: "None"}
    assert f"{second} is in Production" in home.rebento("promote", second).stdout
    assert stages(home) == {first: "Archived", second: "Production"}
    listed = home.rebento("versions").stdout
    assert all(tag.removeprefix("small:") in listed for tag in (first, second))
    assert "Archived" in listed and "Production" in listed
    home.rebento("promote", first.removeprefix("small:"))  # back, by its version alone
    assert stages(home) == {first: "Production", second: "Archived"}


# What is made of a file does not hang on the database.
@only_on_sqlite
def test_as_of_trains_on_what_was_known_on_that_day_alone(tmp_path: Path, new_database: Settings) -> None:
    with zipfile.ZipFile(DATA / "streamflow_seeds.zip") as archive:
        archive.extractall(tmp_path / "data" / "streamflow")
    home = Folder(tmp_path, "streamflow_churn", new_database())
    home.rebento("train", "--use-case", "streamflow_churn", "--as-of", "2024-01-31")
    assert column(home, schema.runs.c.as_of) == ["2024-01-31"]
    assert column(home, schema.versions.c.as_of) == ["2024-01-31"]
    (digest,) = column(home, schema.runs.c.data_digest)
    known = pd.read_parquet(home.var / "snapshots" / f"{digest}.parquet")
    users = pd.read_csv(tmp_path / "data/streamflow/month_000/users.csv")
    assert len(known) == len(users) == 7043
    assert known["known_at"].unique().tolist() == [pd.Timestamp("2024-01-31")]
    labels = pd.read_csv(tmp_path / "data/streamflow/month_000/labels.csv").set_index("user_id")[
        "churn_label"
    ]
    told = known.set_index("user_id")["churn_label"].str.lower()
    assert (told == labels.loc[told.index].map(lambda value: str(value).lower())).all()
    assert "first snapshot is of 2024-01-31" in refused(
        home, "train", "--use-case", "streamflow_churn", "--as-of", "2023-12-31"
    )


def labelled_person(home: Home, folder: Path) -> tuple[str, int]:
    """Feedback of a hundred person-years; one person's id and how many of the rows are theirs."""
    from use_cases.doctor_visits.loader import person_years

    rows = person_years(folder).iloc[3000:3100]
    rows.to_csv(folder / "rows.csv", index=False)
    home.rebento("feedback", folder / "rows.csv")
    person = str(rows["person"].iloc[0])
    return person, int((rows["person"].astype(str) == person).sum())


def test_erase_removes_a_persons_rows_and_names_the_models_that_remain(trained: Home, tmp_path: Path) -> None:
    home = trained.copy(tmp_path)
    person, rows = labelled_person(home, tmp_path)
    home.rebento("train")
    first, later = home.tags()
    said = home.rebento("erase", "--entity", person).stdout
    assert f"{rows} predictions and {rows} feedbacks of {person} were removed" in said
    assert later in said and first not in said  # the first was there before the person's rows came
    assert column(home, schema.predictions.c.entity_id, schema.predictions.c.entity_id == person) == []
    assert column(home, func.count(schema.predictions.c.prediction_id)) == [100 - rows]
    assert column(home, func.count(schema.feedback.c.feedback_id)) == [100 - rows]
    assert "0 predictions and 0 feedbacks" in home.rebento("erase", "--entity", person).stdout


def test_prune_removes_old_predictions_without_feedback_and_no_others(trained: Home, tmp_path: Path) -> None:
    home = trained.copy(tmp_path)
    labelled_person(home, tmp_path)
    table = schema.predictions
    now_ms = int(time.time() * 1000)
    with closing(Database.open(home.database_url)) as database, database.writing() as connection:
        names = list(connection.scalars(select(table.c.prediction_id)))
        old, young = names[:40], names[40:60]
        connection.execute(
            update(table)
            .where(table.c.prediction_id.in_(old))
            .values(is_labelled=False, predicted_at_ms=now_ms - 91 * DAY_MS)
        )
        connection.execute(
            update(table)
            .where(table.c.prediction_id.in_(young))
            .values(is_labelled=False, predicted_at_ms=now_ms - 89 * DAY_MS)
        )
        connection.execute(
            update(table)
            .where(table.c.prediction_id.in_(names[60:]))
            .values(predicted_at_ms=now_ms - 91 * DAY_MS)
        )
    assert "40 predictions without feedback, older than 90 days" in home.rebento("prune").stdout
    assert set(column(home, table.c.prediction_id)) == set(names[40:])


def test_predict_and_feedback_say_what_became_of_the_rows(trained: Home, tmp_path: Path) -> None:
    home = trained.copy(tmp_path)
    from use_cases.doctor_visits.loader import person_years

    rows = person_years(tmp_path).iloc[3000:3010].astype({"age": object}).assign(zodiac="lion")
    rows.iloc[4, rows.columns.get_loc("age")] = "old"
    rows.to_csv(tmp_path / "visits.csv", index=False)
    run = home.rebento("predict", "visits.csv")
    assert "Columns the use case does not know were left aside: zodiac" in run.stdout
    assert "1 rows break the contract" in run.stdout and "row 4, age: must be a number" in run.stdout
    assert run.stdout.splitlines()[-1].startswith("10 rows -> visits_predictions.csv (small:")
    assert run.stderr == ""
    assert len(pd.read_csv(tmp_path / "visits_predictions.csv")) == 10
    assert column(home, func.count(schema.predictions.c.prediction_id)) == [0]  # nothing was logged
    assert "row 4 of the file, age" in refused(home, "feedback", "visits.csv")


def test_a_command_that_is_interrupted_ends_without_a_traceback(
    tmp_path: Path, new_database: Settings
) -> None:
    home = Folder(tmp_path, extra=new_database())
    process = subprocess.Popen(
        [BIN / "rebento", "train"],
        cwd=tmp_path,
        env=home.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_for(lambda: "running" in _states(home) or process.poll() is not None, "the run to begin")
    process.send_signal(2)
    said, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "Traceback" not in said
    assert _states(home) == ["failed"]


def _states(home: Home) -> list[str]:
    with closing(Database.open(home.database_url)) as database, database.reading() as connection:
        if not inspect(connection).has_table("runs"):
            return []
    return [str(state) for state in column(home, schema.runs.c.state)]
