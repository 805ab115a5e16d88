"""Runs that follow one another: production rows in, verdicts, a Bento each, and each of them verified."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Connection

from files.export import export_data
from loop.holdout import is_holdout
from loop.places import model_folder
from loop.progress import Silence
from loop.refusals import NotTrainable
from loop.stopping import Stopped
from runner.package import Package
from storage.database import Database
from storage.runs import request_run, run, running_run, waiting_runs
from storage.verdicts import verdicts_of_run
from storage.versions import champion, change_stage, version
from tests.training.conftest import use_case_of, visits
from tests.training.production import stream
from training.ages import Ages
from training.outcome import Outcome
from training.run import train
from training.snapshot import read_snapshot
from training.standing import against_now
from training.verification import NotVerifiable, verify
from use_cases.identity import identities

NOW = datetime(2024, 1, 1, tzinfo=UTC)
MS = int(NOW.timestamp() * 1000)
USE_CASE = use_case_of(
    candidates={"sgd": {}}, policy={"recent_rows": 5_000, "half_life_rows": 100_000, "judged_rows": 200}
)


def contradicting(rows: int, seed: int) -> pd.DataFrame:
    frame = visits(rows, seed=seed)
    return frame.assign(
        person=[f"n{seed}-{i}" for i in range(rows)],
        visited=np.where(frame["visited"] == "yes", "no", "yes"),
    )


class Place:
    """One installation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = Database.open(f"sqlite:///{folder / 'rebento.sqlite'}")
        self.database.migrate()
        self.proven: list[tuple[str, str]] = []

    def train(self, trigger: str, hours: int, *, acts: bool = True) -> Outcome:
        def proven(connection: Connection, tag: str, reason: str) -> str:
            self.proven.append((tag, reason))
            return "it waits for nobody"

        return train(
            USE_CASE,
            home=self.folder,
            data=self.folder,
            database=self.database,
            trigger=trigger,
            reason="a test",
            clock=lambda: NOW + timedelta(hours=hours),
            claimed_by="trainer@here:1:1",
            on_proven=proven if acts else None,
        )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    visits().to_parquet(tmp_path / "visits.parquet")
    yield made
    made.database.close()


@pytest.mark.slow
def test_a_changed_world_is_learned_judged_and_told_and_each_bento_repeats(place: Place) -> None:
    """A chain of runs takes seconds each, so all that it leaves behind is looked at together."""
    first = place.train("first", 0)
    assert first.promoted and not place.proven
    stream(place.database, USE_CASE, contradicting(450, seed=1), at_ms=MS + 7_200_000)
    second = place.train("feedback", 3)

    assert not second.promoted and second.challenger == "fine_tuned"
    assert place.proven == [(second.bento, second.verdicts[0].reason)]
    assert second.verdict.endswith("it waits for nobody")
    assert any(line.startswith("no recent challenger: there are ") for line in second.lines())
    with place.database.reading() as connection:
        ended = run(connection, second.run_id)
        told = verdicts_of_run(connection, second.run_id)
        built = version(connection, second.bento)
        holder = champion(connection, "visits")
    assert holder is not None and holder.tag == first.bento, "the callable decides, not the run"
    assert [one.challenger for one in told] == [one.challenger for one in second.verdicts]
    assert {one.bento for one in told} == {second.bento, None} and told[0].champion == first.bento
    held = sum(is_holdout(f"n1-{i}", USE_CASE.holdout, "visits") for i in range(450))
    assert told[0].rows == held and json.loads(told[0].policy_json)["judged_rows"] == 200
    assert json.loads(told[0].scores_json)["challenger"]["roc_auc"]["value"] > 0.6
    assert built is not None and built.parent == first.bento and built.stage == "None"
    recipe = json.loads(built.recipe_json or "{}")
    assert ended is not None and recipe["instant_ms"] == ended.instant_ms
    assert recipe["ancestor"] == first.bento
    assert Package.open(model_folder(place.folder, second.bento)).info.recipe == recipe

    with place.database.writing() as connection:
        change_stage(connection, second.bento, "Production", actor="t", reason="t", at_ms=MS + 4 * 3_600_000)
    stream(place.database, USE_CASE, contradicting(40, seed=2), at_ms=MS + 5 * 3_600_000, name="q")
    third = place.train("feedback", 6)
    assert third.verdicts[0].decision in ("more labels", "keep")
    assert f"{second.bento} stays in Production" in third.verdict
    with place.database.reading() as connection:
        against = against_now(connection, "visits")
    assert against.champion is not None and against.champion.tag == second.bento and against.look == 2
    if third.verdicts[0].decision == "more labels":
        assert against.standing is not None and against.standing.tag == third.bento

    _assert_both_files_come_from_one_graph(place, second)
    _assert_all_can_be_verified(place, first, second, third)


def _assert_both_files_come_from_one_graph(place: Place, outcome: Outcome) -> None:
    package = Package.open(model_folder(place.folder, outcome.bento))
    exported = export_data(
        package, place.database, place.folder, place.folder / "exported", lambda rows: None
    )
    reference, production = exported.files.values()
    assert exported.refused == 0 and production == 490
    frame = read_snapshot(package.info.data_digest, place.folder / "snapshots")
    assert reference < len(frame) == 1_050
    columns = [list(pd.read_csv(path).columns) for path in exported.files]
    assert columns[0] == [*package.info.dimensions, "target"]
    assert columns[1] == [*package.info.dimensions, "target", "prediction"]


def _assert_all_can_be_verified(place: Place, *outcomes: Outcome) -> None:
    for outcome in outcomes:
        found = verify(outcome.bento, home=place.folder, database=place.database)
        assert found.outcome == "identical" and found.is_equal, found.sentence
        assert "byte for byte the same" in found.sentence and found.rows > 100
    lineage = verify(outcomes[1].bento, home=place.folder, database=place.database).lineage
    assert lineage == (outcomes[0].bento, outcomes[1].bento)

    first = outcomes[0].bento
    info = model_folder(place.folder, first) / "package.json"
    kept = info.read_text()
    told = json.loads(kept)
    told["recipe"]["libraries"]["numpy"] = "1.0.0"
    told["recipe"]["platform"] = "VAX"
    told["recipe"]["seed"] += 1
    info.write_text(json.dumps(told))
    found = verify(first, home=place.folder, database=place.database)
    assert found.outcome == "differs" and not found.is_equal and found.largest_difference > 1e-5
    assert "numpy was 1.0.0" in found.sentence and "the platform was VAX" in found.sentence
    info.write_text(kept)

    shutil.rmtree(place.folder / "snapshots")
    with pytest.raises(NotVerifiable, match="its data are not as they were: There is no snapshot"):
        verify(first, home=place.folder, database=place.database)


@pytest.mark.slow
def test_a_champion_whose_files_are_lost_does_not_stop_the_runs(place: Place) -> None:
    first = place.train("first", 0)
    shutil.rmtree(model_folder(place.folder, first.bento))
    stream(place.database, USE_CASE, contradicting(100, seed=1), at_ms=MS + 7_200_000)
    second = place.train("feedback", 3)
    assert second.verdicts == () and "could not be judged" in second.verdict
    assert f"`rebento promote {second.bento}`" in second.verdict and not place.proven


def test_a_run_that_is_told_to_stop_waits_again(place: Place) -> None:
    with place.database.writing() as connection:
        asked = request_run(connection, "visits", trigger="feedback", reason="k", at_ms=MS)

    class Interrupted(Silence):
        def stage(self, text: str, total: int | None = None) -> None:
            if text.startswith("preparing"):
                raise Stopped

    with pytest.raises(Stopped):
        train(
            USE_CASE,
            home=place.folder,
            data=place.folder,
            database=place.database,
            requested=asked,
            progress=Interrupted(),
        )
    with place.database.reading() as connection:
        (waiting,) = waiting_runs(connection, "visits")
        assert running_run(connection, "visits") is None
    assert waiting.run_id == asked.run_id and waiting.attempts == 0


def test_one_run_at_a_time(place: Place) -> None:
    with place.database.writing() as connection:
        connection.exec_driver_sql(
            "INSERT INTO runs (run_id, use_case, state, trigger, reason, requested_at_ms, started_at_ms) "
            f"VALUES ('r', 'visits', 'running', 'feedback', 'k', 1, {MS + 3_600_000})"
        )
    with pytest.raises(NotTrainable, match="Another training run of visits is going on"):
        place.train("person", 1)
    with place.database.reading() as connection:
        assert not waiting_runs(connection, "visits"), "what was refused does not wait"


def test_identities_of_both_kinds_of_rows() -> None:
    rows = [{"a": 1}, {"a": 1, "id": "x"}, {"a": 1}]
    first, named, answered = identities(rows, "id", [None, "p1", "p2"])
    assert first.startswith("row:") and named == "x" and answered == "p2"


def test_rows_without_dates_are_all_of_one_age() -> None:
    ages = Ages.of("year", pd.DataFrame({"year": ["later", None]}))
    assert not ages.is_dated.any() and ages.rows_since(np.arange(2)).tolist() == [0.5, 0.5]
