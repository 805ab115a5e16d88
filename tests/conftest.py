"""What many tests need: a real Bento, trained once; a real PostgreSQL server."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.docker_engine import engine as engine
from tests.homes import Home
from tests.storage.postgres import server as postgresql

# A tenth of the real rows and two quick candidates: a Bento in seconds, by the real path.
SMALL = """\
source: {loader: "loader.py:rows"}
target: doctor_visit
positive: "yes"
id: person
time: year
embedding: {kind: pca, components: 8}
candidates: {logistic_regression: {}, sgd: {}}
policy: {feedbacks_per_training: 1000}
"""
LOADER = """\
from use_cases.doctor_visits.loader import person_years

def rows(data):
    return person_years(data).iloc[:2000]
"""


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a running server; one server a test process. Fails where PostgreSQL is not installed."""
    with postgresql() as url:
        yield url


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """An installation with one small Bento in Production. Never serve from it: copy it."""
    shared = tmp_path_factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else None
    folder = (shared or tmp_path_factory.getbasetemp()) / "trained"
    folder.mkdir(exist_ok=True)
    home = Home(folder)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one of the test processes trains, the others wait
        if not (folder / "done").exists():
            case = folder / "use_cases" / "small"
            case.mkdir(parents=True, exist_ok=True)
            (case / "use_case.yaml").write_text(SMALL)
            (case / "loader.py").write_text(LOADER)
            home.rebento("train")
            (folder / "done").touch()
    return home


@pytest.fixture(scope="session")
def row(trained: Home) -> dict[str, Any]:
    """A row that the small use case accepts."""
    from use_cases.contract import Contract

    (contract,) = (trained.var / "bentoml" / "models" / "small").glob("*/contract.json")
    return dict(Contract.read(contract).example_row())
