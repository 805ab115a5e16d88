"""The loop closes by itself: a month whose users behave otherwise, streamed through the running service."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import roc_auc_score

from examples.streamflow_month import users
from loop.holdout import is_holdout
from storage.automation import automation
from storage.database import Database
from storage.promotions import promotions
from storage.runs import runs
from storage.verdicts import verdicts_of_run
from storage.versions import champion
from tests.callers import Callers
from tests.databases import only_on_sqlite
from tests.homes import ROOT, Home, Server, up, wait_for
from tests.journeys.trainers import stored
from tests.shared_data import DATA

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
USE_CASE = "streamflow_churn"
ROWS = 5_600


@pytest.fixture(scope="module")
def month_zero(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], dict[str, str]]) -> Home:
    """An installation whose champion learned from the first month alone."""
    folder = tmp_path_factory.mktemp("streamflow")
    with zipfile.ZipFile(DATA / "streamflow_seeds.zip") as archive:
        archive.extractall(folder / "data" / "streamflow")
    home = Home(folder, USE_CASE, {"REBENTO_DATA": str(folder / "data"), **new_database()})
    home.rebento("train", "--as-of", "2024-01-31")
    # What the service knows of the second month comes through the service alone.
    (folder / "months").mkdir()
    shutil.move(folder / "data/streamflow/month_001", folder / "months/month_001")
    case = folder / "use_cases" / USE_CASE
    case.mkdir(parents=True)
    shipped = (ROOT / "use_cases" / USE_CASE / "use_case.yaml").read_text()
    (case / "use_case.yaml").write_text(
        "".join(line for line in shipped.splitlines(keepends=True) if "month_001" not in line)
    )
    return home


def month_one(home: Home) -> list[dict[str, Any]]:
    return users(home.folder / "months" / "month_001")


def stream(home: Home, server: Server, *more: str) -> str:
    run = subprocess.run(
        [
            *(sys.executable, ROOT / "examples/streamflow_month.py", home.folder / "months/month_001"),
            *("--rows", str(ROWS), "--url", server.base, *more),
        ],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def auc_on_held_out_users(server: Server, rows: list[dict[str, Any]], bento: str) -> float:
    """Of a Bento that answers by now, on users of the second month that no version trains on."""
    held = [row for row in rows if is_holdout(str(row["user_id"]), 0.2, USE_CASE)]
    truths = [bool(row["churn_label"]) for row in held]
    asked = [{k: v for k, v in row.items() if k != "churn_label"} for row in held]
    while (answer := server.call("/predict", {"rows": asked}).json)["bento"] != bento:
        continue  # those who leave answer for a moment more
    told = [prediction["probabilities"]["true"] for prediction in answer["predictions"]]
    return float(roc_auc_score(truths, told))


def is_done(database: Database) -> bool:
    """Whether no run and no promotion is on its way."""
    with database.reading() as connection:
        states = [run.state for run in runs(connection, USE_CASE)]
        states += [one.state for one in promotions(connection, USE_CASE)]
    return not {"requested", "running", "starting"} & set(states)


def in_production(database: Database) -> str:
    with database.reading() as connection:
        found = champion(connection, USE_CASE)
    return "" if found is None else found.tag


def runs_ever(database: Database) -> int:
    with database.reading() as connection:
        return len(runs(connection, USE_CASE))


def test_a_changed_month_promotes_a_better_bento_by_itself_and_a_person_takes_it_back(
    month_zero: Home, tmp_path: Path
) -> None:
    home = month_zero.copy(tmp_path)
    rows = month_one(home)
    asked = [{k: v for k, v in row.items() if k != "churn_label"} for row in rows[ROWS:]]
    (old,) = home.tags()
    with up(home, workers=2) as server, stored(home) as database:
        before = auc_on_held_out_users(server, rows, old)
        assert before < 0.5

        def promoted() -> bool:
            with database.reading() as connection:
                found = promotions(connection, USE_CASE)
            return any(one.state in ("probation", "done") for one in found)

        with Callers(server.base, asked) as load:
            stream(home, server, "--seconds", "20")
            wait_for(promoted, "a promotion", 300)
            wait_for(lambda: is_done(database), "the queue to be done", 300)
            new = in_production(database)
            wait_for(lambda: new in load.bentos, "its answers")
        assert not load.failures, load.failures[:5]
        after = auc_on_held_out_users(server, rows, new)
        print(f"AUC on held-out users: {before:.3f} before, {after:.3f} after; {load.bentos.total()} answers")
        assert after >= 0.60
        assert set(load.bentos) >= {old, new} and old != new

        said = home.rebento("rollback").stdout
        assert old in said or "is in Production" in said
        with database.reading() as connection:
            assert automation(connection, USE_CASE).promotion_is_suspended
        back = in_production(database)
        assert back not in ("", new)

        def answers() -> str:
            return str(server.call("/predict", {"rows": asked[:1]}).json["bento"])

        wait_for(lambda: answers() == back, "the old answers")
        # They stay: another 1,400 labels ask for a training, and what it proves waits for a person.
        asked_before = runs_ever(database)
        stream(home, server, "--rows", "1400")
        wait_for(lambda: runs_ever(database) > asked_before, "a run to be asked for")
        wait_for(lambda: is_done(database), "the queue to be done", 300)
        assert in_production(database) == back
        assert answers() == back


# What the judge says of noise does not hang on the database.
@only_on_sqlite
def test_shuffled_labels_promote_nothing(month_zero: Home, tmp_path: Path) -> None:
    home = month_zero.copy(tmp_path)
    (old,) = home.tags()
    with up(home) as server, stored(home) as database:
        stream(home, server, "--shuffle")
        wait_for(lambda: runs_ever(database) > 1, "a run to be asked for")
        wait_for(lambda: is_done(database), "the queue to be done", 300)
        with database.reading() as connection:
            judged = [
                verdict
                for run in runs(connection, USE_CASE)
                if run.state == "built" and run.trigger != "person"
                for verdict in verdicts_of_run(connection, run.run_id)
            ]
            holder = champion(connection, USE_CASE)
            assert not promotions(connection, USE_CASE)
        assert judged and all(verdict.decision != "promote" for verdict in judged)
        assert holder is not None and holder.tag == old
