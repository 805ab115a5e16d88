"""A Bento as a thing of its own: what is in it, which model it pins, and that it checks itself."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.databases import only_on_sqlite
from tests.homes import BIN, Home, bentoml_serve, up

pytestmark = pytest.mark.slow
Row = dict[str, Any]


def bento_folder(home: Home, tag: str) -> Path:
    name, _, version = tag.partition(":")
    return home.var / "bentoml" / "bentos" / name / version


# The files of a Bento.
@only_on_sqlite
def test_each_bento_pins_its_exact_model_in_its_own_bento_yaml(two: Home) -> None:
    tags = two.tags()
    assert len(tags) == 2
    for tag in tags:
        described = yaml.safe_load((bento_folder(two, tag) / "bento.yaml").read_text())
        (service,) = described["services"]
        assert [model["tag"] for model in described["models"] + service["models"]] == [tag]
        assert described["args"] == {"model": tag}
        assert described["labels"]["data_digest"]


# What a Bento answers does not hang on where its log goes.
@only_on_sqlite
def test_an_older_bento_gives_the_older_models_answers(two: Home, row: Row) -> None:
    old, new = two.tags()
    answers = {}
    for tag in (old, new):
        with bentoml_serve(two, tag) as server:
            answer = server.call("/predict", {"rows": [row]}).json
            assert answer["bento"] == tag
            answers[tag] = answer["predictions"][0]["probabilities"]["yes"]
    assert answers[old] == pytest.approx(1 - answers[new], abs=0.05)
    assert abs(answers[old] - answers[new]) > 0.2
    with up(two) as server:  # the first one is in Production
        assert server.predict(row)[0]["probabilities"]["yes"] == answers[old]


def test_plain_bentoml_serve_gives_the_same_answers_and_refusals(
    trained: Home, row: Row, tmp_path: Path
) -> None:
    home = trained.copy(tmp_path)
    rows = json.loads(next((home.var / "bentoml" / "models" / "small").glob("*/golden.json")).read_text())[
        "rows"
    ]
    calls: list[tuple[str, Any]] = [
        ("/predict", {"rows": rows}),
        ("/explain", {"rows": rows[:3]}),
        ("/predict", {"rows": [{}]}),
        ("/predict", b"{"),
        ("/feedback", {"feedback": [{"prediction_id": "0" * 36, "target": "yes"}]}),
        ("/nowhere", None),
    ]

    def answers(server: Any) -> list[Any]:
        found = []
        for path, body in calls:
            answer = server.call(path, body)
            content = answer.json
            for prediction in content.get("predictions", []):
                del prediction["prediction_id"]
            found.append((path, answer.status, content))
        return found

    with up(home) as server:
        ours = answers(server)
    with bentoml_serve(home, home.tags()[-1]) as server:
        theirs = answers(server)
        (prediction,) = server.predict(row)
        body = {"feedback": [{"prediction_id": prediction["prediction_id"], "target": "yes"}]}
        assert server.call("/feedback", body).json["accepted"] == 1
        assert 'route="/predict",status="200"' in server.call("/metrics").body.decode()
    assert ours == theirs


# The files of a Bento.
@only_on_sqlite
def test_nothing_that_trains_or_unpickles_is_inside(trained: Home) -> None:
    source = bento_folder(trained, trained.tags()[0]) / "src"
    held = {path.relative_to(source).parts[0] for path in source.rglob("*.py")}
    assert held == {"service.py", "settings.py", "loop", "monitoring", "runner", "storage", "use_cases"}
    assert {p.name for p in (source / "use_cases").iterdir()} - {"__pycache__"} == {
        "__init__.py",
        "contract.py",
    }
    text = "\n".join(path.read_text() for path in source.rglob("*.py"))
    for forbidden in ("pickle", "joblib", "skops", "sklearn", "import pandas", "evidently", "typer"):
        assert forbidden not in text.replace("unpickle", ""), forbidden
    (model,) = _versions(trained)
    names = {path.name for path in model.iterdir()}
    assert {"graph.onnx", "contract.json", "golden.json", "reference.parquet", "model_card.md"} <= names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib", ".skops"))]


def _versions(home: Home) -> list[Path]:
    return [folder for folder in (home.var / "bentoml" / "models" / "small").iterdir() if folder.is_dir()]


# It ends before it asks for a row.
@only_on_sqlite
def test_a_bento_that_computes_differently_stops_with_one_clear_line(trained: Home, tmp_path: Path) -> None:
    home = trained.copy(tmp_path)
    (model,) = _versions(home)
    golden = json.loads((model / "golden.json").read_text())
    golden["probabilities"][0] = golden["probabilities"][0][::-1]
    (model / "golden.json").chmod(0o644)
    (model / "golden.json").write_text(json.dumps(golden))
    run = home.rebento("up", check=False)
    assert run.returncode == 1
    lines = [line for line in run.stderr.splitlines() if "golden row" in line]
    assert len(lines) == 1 and "train again here" in lines[0]
    assert "Traceback" not in run.stderr


# It ends before it asks for a row.
@only_on_sqlite
def test_a_model_whose_files_are_gone_is_named(trained: Home, tmp_path: Path) -> None:
    home = trained.copy(tmp_path)
    (model,) = _versions(home)
    shutil.rmtree(model)
    run = home.rebento("up", check=False)
    assert run.returncode == 1
    assert "Traceback" not in run.stderr.split("rebento:")[-1]


# BentoML's store alone.
@only_on_sqlite
def test_the_bento_lists_with_bentomls_own_command(trained: Home) -> None:
    run = subprocess.run(
        [BIN / "bentoml", "list", "-o", "json"],
        env=trained.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert trained.tags()[0] in run.stdout
