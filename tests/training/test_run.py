"""Whole runs, from a file to a Bento in a real store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from loop.progress import Silence
from loop.refusals import BrokenPackage, DataNotFound, NotTrainable
from runner.package import Package
from storage.database import Database
from storage.runs import request_run, run, runs
from storage.versions import champion, history, version
from tests.shared_data import DATA
from tests.training.conftest import use_case_of, visits
from training.build import Order, build_bento
from training.fitted import read_pipeline
from training.outcome import Outcome
from training.preparation import prepare
from training.run import train
from training.selection import compare
from training.snapshot import read_snapshot, storable
from use_cases.inference import infer_use_case
from use_cases.source import load_rows

ROOT = Path(__file__).resolve().parents[2]
ONE = {"logistic_regression": {}}


@dataclass(frozen=True)
class Place:
    """One installation in a folder."""

    folder: Path
    database: Database

    @property
    def store(self) -> Path:
        return self.folder / "bentoml"

    def train(self, frame: pd.DataFrame | None = None, **changes: Any) -> Outcome:
        if frame is not None:
            frame.to_parquet(self.folder / "visits.parquet")
        use_case = use_case_of(**{"candidates": ONE, **changes})
        return train(use_case, home=self.folder, data=self.folder, database=self.database)

    def model(self, tag: str) -> Path:
        return self.store / "models" / tag.replace(":", "/")


@pytest.fixture
def place(tmp_path: Path) -> Any:
    database = Database.open(f"sqlite:///{tmp_path / 'rebento.sqlite'}")
    database.migrate()
    yield Place(tmp_path, database)
    database.close()


@pytest.mark.slow
def test_two_bentos_built_one_after_the_other_each_serve_their_own_model(place: Place) -> None:
    """And what else two runs leave behind: a run takes seconds, so they are looked at together."""
    frame = visits()
    first = place.train(frame)
    flipped = frame.assign(visited=np.where(frame["visited"] == "yes", "no", "yes"))
    second = place.train(flipped)

    assert first.promoted and "nothing was in Production" in first.verdict
    assert not second.promoted and f"`rebento promote {second.bento}`" in second.verdict
    with place.database.reading() as connection:
        holder = champion(connection, "visits")
        later = version(connection, second.bento)
        ended = run(connection, second.run_id)
        (promotion,) = history(connection, "visits")
    assert holder is not None and holder.tag == first.bento and promotion.tag == first.bento
    assert later is not None and later.stage == "None" and later.parent == first.bento

    assert ended is not None and ended.state == "built" and ended.bento == second.bento
    assert ended.seconds and ended.peak_memory_bytes and ended.peak_memory_bytes > 50_000_000
    assert json.loads(ended.rows_json or "")["training"] == second.rows["training"]
    told = json.loads(ended.verdict_json or "")
    # No row is dated: the whole holdout says so, and a person decides.
    assert told["decision"] == "promote" and told["champion"] == first.bento
    assert told["verdicts"][0]["challenger"] == "fresh" and "no row is known" in " ".join(told["notes"])
    assert set(told["seconds"]) == {"gathering", "fitting", "judging", "building"}
    assert json.loads(ended.libraries_json or "")["scikit-learn"]
    assert json.loads(ended.parameters_json or "")["seed"] == 0
    assert len(read_snapshot(ended.data_digest or "", place.folder / "snapshots")) == 600

    row: dict[str, Any] = {"income": 75.5, "site": None, "empty": None}
    row |= {"age": 40, "member": True, "since": "2021-01-01", "plan": "free", "constant": 1}
    answered = {}
    for outcome in (first, second):
        described = yaml.safe_load(
            (place.store / "bentos" / outcome.bento.replace(":", "/") / "bento.yaml").read_text()
        )
        assert [model["tag"] for model in described["services"][0]["models"]] == [outcome.bento]
        assert described["args"] == {"model": outcome.bento}
        assert described["labels"]["data_digest"]
        package = Package.open(place.model(outcome.bento))
        assert package.check_golden_rows() == 20
        answered[outcome.bento] = _served(place, outcome.bento, row)
        checked = package.checker.check([row])
        expected = package.graph.answer(checked.numbers, checked.categories).probabilities[0].tolist()
        assert answered[outcome.bento]["bento"] == outcome.bento
        assert list(answered[outcome.bento]["predictions"][0]["probabilities"].values()) == pytest.approx(
            expected, abs=1e-5
        )
    one, other = (a["predictions"][0]["probabilities"]["yes"] for a in answered.values())
    assert one > 0.8 and other < 0.2
    _assert_a_package_is_whole(place, first)


def _served(place: Place, tag: str, row: dict[str, Any]) -> Any:
    """The answer of a Bento loaded in a process of its own."""
    code = (
        "import bentoml, json, sys; runner = bentoml.load(sys.argv[1])(); "
        "print('answer', runner.predict(rows=[json.loads(sys.argv[2])]).model_dump_json()); runner.close()"
    )
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("REBENTO_", "BENTOML"))}
    done = subprocess.run(
        [sys.executable, "-c", code, tag, json.dumps(row)],
        cwd=place.folder,
        env={
            **environ,
            "BENTOML_HOME": str(place.store),
            "BENTOML_DO_NOT_TRACK": "True",
            "REBENTO_HOME": str(place.folder / "served"),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("answer "))
    return json.loads(line.removeprefix("answer "))


def _assert_a_package_is_whole(place: Place, outcome: Outcome) -> None:
    folder = place.model(outcome.bento)
    package = Package.open(folder)
    golden = json.loads((folder / "golden.json").read_text())
    assert {row["income"] is None for row in golden["rows"]} == {True, False}
    assert set(golden["labels"]) == {"yes", "no"}
    assert not any("person" in row for row in golden["rows"]), "a Bento travels further than its data"
    sample = pd.read_parquet(folder / "reference.parquet")
    assert "person" not in sample.columns and len(sample) == outcome.rows["training"]
    assert np.allclose(sample["probability_yes"] + sample["probability_no"], 1)
    assert ((sample["probability_yes"] > 0.5) == (sample["prediction"] == "yes")).all()
    card = (folder / "model_card.md").read_text()
    for said in ("## Intended use", "## Limits", "What it costs", outcome.run_id, package.info.data_digest):
        assert said in card
    assert package.info.dimensions == [f"PCA_{i}" for i in range(1, 6)]
    name, tag = outcome.bento.split(":")
    stored = read_pipeline(place.store / "models" / f"{name}_pipeline" / tag / "pipeline.skops")
    assert stored.classes == package.contract.classes
    kinds = {path.suffix for path in place.store.rglob("*") if path.is_file()}
    assert not kinds & {".pkl", ".pickle", ".joblib"}
    code = place.store / "bentos" / name / tag / "src"
    assert not {"training", "reporting", "webapp"} & {path.name for path in code.iterdir()}


def test_a_run_that_is_refused_is_recorded_with_its_reason(place: Place) -> None:
    with pytest.raises(DataNotFound):
        place.train()
    with pytest.raises(NotTrainable):
        place.train(visits().assign(visited="yes"), positive=())
    with place.database.reading() as connection:
        later, earlier = runs(connection, "visits")
    assert (earlier.state, later.state) == ("failed", "failed")
    assert "visits.parquet" in (earlier.error or "")
    assert "same visited" in (later.error or "")
    assert not place.store.exists()


def test_a_run_that_somebody_else_has_is_left_to_them(place: Place) -> None:
    visits().to_parquet(place.folder / "visits.parquet")
    with place.database.writing() as connection:
        requested = request_run(connection, "visits", trigger="feedback", reason="100 answers", at_ms=1)
    changes = {"home": place.folder, "data": place.folder / "absent", "database": place.database}
    with pytest.raises(DataNotFound):
        train(use_case_of(), requested=requested, **changes)
    with pytest.raises(NotTrainable, match="does not wait any more"):
        train(use_case_of(), requested=requested, **changes)
    with place.database.reading() as connection:
        (only,) = runs(connection, "visits")
    assert only.trigger == "feedback" and "visits.parquet" in (only.error or "")


def test_nobody_else_who_writes_waits_while_git_is_asked_for_the_code(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def revision(_: Path) -> str:
        with place.database.writing():
            return "somebody else has written"

    monkeypatch.setattr("storage.engines.WAIT_SECONDS", 0.2)
    monkeypatch.setattr("training.run.code_revision", revision)
    with pytest.raises(DataNotFound):
        place.train()
    with place.database.reading() as connection:
        (only,) = runs(connection, "visits")
    assert only.code_revision == "somebody else has written"


@pytest.mark.slow
def test_a_bento_that_cannot_be_built_leaves_nothing_in_the_store(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    order = Order(
        name="visits", version="v1", package=tmp_path / "package", pipeline=tmp_path / "absent", labels={}
    )
    with pytest.raises(BrokenPackage, match=r"visits:v1 could not be built: .*absent"):
        build_bento(order, tmp_path)
    assert not [path for path in (tmp_path / "bentoml" / "models").rglob("*") if path.is_file()]


@pytest.mark.slow
def test_telco_churn_reaches_its_auc_without_a_hand_edit(tmp_path: Path) -> None:
    use_case = infer_use_case(DATA / "telco_churn.csv.gz", target="Churn", id="customerID").use_case
    assert use_case.embedding.kind == "columns"
    prepared = prepare(use_case, storable(load_rows(use_case, tmp_path)))
    found = compare(use_case, prepared.contract, prepared.training, Silence())
    assert found.best.mean >= 0.83, found.results
