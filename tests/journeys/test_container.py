"""A container of an older Bento, built and run by a real Docker engine, answers as the older model."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.databases import only_on_sqlite
from tests.docker_engine import Environment, docker
from tests.homes import BIN, Home, ask, bentoml_serve, free_port, wait_for

# A container of a bare Bento keeps its own SQLite file.
pytestmark = [
    only_on_sqlite,
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.xdist_group("docker"),
]

#: What trains, reports or draws: a serving image that holds one of these was built from the wrong lock.
UNWANTED = (
    "sklearn", "skl2onnx", "skops", "scipy", "pandas", "pyarrow", "statsmodels", "evidently", "typer",
    "training", "reporting", "webapp", "files", "cli",
)  # fmt: skip
#: 1.16 GB was seen, 0.65 of them the compilers and git that BentoML's own Dockerfile installs.
MOST_BYTES = 1.4e9

Row = dict[str, Any]


@dataclass(frozen=True)
class Container:
    """A running container of the older of two Bentos."""

    name: str
    image: str
    tag: str
    base: str
    environment: Environment

    def python(self, code: str) -> str:
        """What Python inside prints."""
        return docker(self.environment, "exec", self.name, "python", "-c", code)


@pytest.fixture(scope="module")
def image(engine: Environment, two: Home) -> Iterator[str]:
    """The image of the older Bento, as BentoML's own command builds it."""
    name = f"rebento-test-{os.getpid()}"
    began = time.monotonic()
    built = subprocess.run(
        [BIN / "bentoml", "containerize", two.tags()[0], "--backend", "docker", "-t", name],
        env={**two.environment, **{k: engine[k] for k in engine if k.startswith("DOCKER") or k == "PATH"}},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, f"{built.stdout[-4000:]}\n{built.stderr[-4000:]}"
    print(f"{two.tags()[0]} was containerized in {time.monotonic() - began:.0f} s")
    yield name
    docker(engine, "rmi", "--force", name)


@contextmanager
def running(image: str, tag: str, environment: Environment) -> Iterator[Container]:
    """A container of the image, its port published, once it is ready."""
    port = free_port()
    name = f"{image}-{port}"
    docker(environment, "run", "--detach", "--name", name, "--publish", f"127.0.0.1:{port}:3000", image)
    try:
        container = Container(name, image, tag, f"http://127.0.0.1:{port}", environment)
        wait_for(lambda: is_ready(container), "the container to be ready", seconds=120)
        yield container
    finally:
        docker(environment, "rm", "--force", name)


@pytest.fixture(scope="module")
def older(image: str, two: Home, engine: Environment) -> Iterator[Container]:
    with running(image, two.tags()[0], engine) as container:
        yield container


def is_ready(container: Container) -> bool:
    state = docker(container.environment, "inspect", "--format", "{{.State.Running}}", container.name)
    assert state == "true", docker(container.environment, "logs", container.name)
    try:
        return ask(container.base, "/readyz").status == 200
    except OSError:
        return False


def test_a_container_of_an_older_bento_gives_the_older_models_answers(
    older: Container, two: Home, row: Row
) -> None:
    answers: dict[str, Any] = {}
    for tag in two.tags():
        with bentoml_serve(two, tag) as server:
            answers[tag] = server.predict(row)[0]["probabilities"]
    old, new = (answers[tag] for tag in two.tags())
    assert abs(old["yes"] - new["yes"]) > 0.2
    answer = ask(older.base, "/predict", {"rows": [row]})
    assert answer.status == 200
    assert answer.json["bento"] == older.tag == two.tags()[0]
    assert answer.json["predictions"][0]["probabilities"] == pytest.approx(old, abs=1e-5)


def test_a_container_keeps_feedback_refuses_bad_rows_and_counts(older: Container, row: Row) -> None:
    (prediction,) = ask(older.base, "/predict", {"rows": [row]}).json["predictions"]
    told = {"feedback": [{"prediction_id": prediction["prediction_id"], "target": "yes"}]}
    stored = ask(older.base, "/feedback", told)
    assert (stored.status, stored.json["accepted"]) == (200, 1)
    refused = ask(older.base, "/predict", {"rows": [{}]})
    assert refused.status == 400 and "site" in refused.json["missing_features"]
    invented = {"feedback": [{"prediction_id": "0" * 36, "target": "yes"}]}
    assert ask(older.base, "/feedback", invented).status == 404
    counted = ask(older.base, "/metrics").body.decode()
    assert 'api_requests_total{route="/predict",status="400"}' in counted


def test_nothing_that_trains_or_reports_can_be_imported_in_the_image(older: Container) -> None:
    found = older.python(
        "import importlib.util, json, sys; sys.path.insert(0, 'src'); "
        f"print(json.dumps([n for n in {UNWANTED!r} if importlib.util.find_spec(n)]))"
    )
    assert json.loads(found) == []
    assert older.python("import os; print(sorted(os.listdir('models')))") == "['small']"
    versions = older.python(
        "import os; print(sorted(n for n in os.listdir('models/small') if n != 'latest'))"
    )
    assert versions == str([older.tag.partition(":")[2]])


def test_the_image_is_no_larger_than_what_serving_needs(older: Container) -> None:
    size = int(docker(older.environment, "image", "inspect", "--format", "{{.Size}}", older.image))
    assert size < MOST_BYTES


def test_a_container_that_is_stopped_leaves_soon_and_by_itself(
    image: str, two: Home, engine: Environment
) -> None:
    with running(image, two.tags()[0], engine) as container:
        began = time.monotonic()
        docker(engine, "stop", "--time", "60", container.name)
        assert time.monotonic() - began < 30
        code = docker(engine, "inspect", "--format", "{{.State.ExitCode}}", container.name)
        assert code in ("0", "143")
