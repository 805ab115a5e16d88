"""A version trained again: the same bytes, the same answers, or what is not as it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from sqlalchemy import text

from loop.places import model_folder
from storage.database import Database
from storage.versions import UnknownVersion
from tests.training.conftest import use_case_of, visits
from training.recipe import this_platform
from training.record import code_revision
from training.run import train
from training.verification import NotVerifiable, Verification, verify

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
USE_CASE = use_case_of(candidates={"logistic_regression": {}})


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with one version, and its tag. Never change it: copy it."""
    folder = tmp_path_factory.mktemp("built")
    visits().to_parquet(folder / "visits.parquet")
    database = Database.open(f"sqlite:///{folder / 'rebento.sqlite'}")
    database.migrate()
    try:
        outcome = train(USE_CASE, home=folder, data=folder, database=database)
    finally:
        database.close()
    return folder, outcome.bento


class Place:
    """A copy of the installation."""

    def __init__(self, folder: Path, tag: str) -> None:
        self.folder, self.tag = folder, tag
        self.database = Database.open(f"sqlite:///{folder / 'rebento.sqlite'}")
        self.model = model_folder(folder, tag)
        (self.snapshot,) = (folder / "snapshots").glob("*.parquet")

    def verify(self) -> Verification:
        return verify(self.tag, home=self.folder, database=self.database)

    def tell_recipe(self, **changes: object) -> None:
        path = self.model / "package.json"
        told = json.loads(path.read_text())
        told["recipe"] |= changes
        path.write_text(json.dumps(told))

    def tell_revision(self, revision: str) -> None:
        with self.database.writing() as connection:
            connection.execute(text("UPDATE runs SET code_revision = :to"), {"to": revision})


@pytest.fixture
def place(built: tuple[Path, str], tmp_path: Path) -> Iterator[Place]:
    shutil.copytree(built[0], tmp_path, dirs_exist_ok=True, symlinks=True)
    made = Place(tmp_path, built[1])
    yield made
    made.database.close()


def test_the_same_rows_seed_and_settings_give_the_same_bytes(place: Place) -> None:
    (place.folder / "visits.parquet").unlink()  # from the snapshot alone
    found = place.verify()
    assert found.outcome == "identical" and found.is_equal and found.largest_difference == 0.0
    assert found.rows > 100 and found.lineage == (place.tag,)
    assert found.sentence.startswith(f"{place.tag} trained again: the graph is byte for byte the same.")


def test_other_bytes_with_the_same_answers_are_equal(place: Place) -> None:
    """As another release of the converter would write it."""
    path = place.model / "graph.onnx"
    graph = onnx.load(path)
    graph.producer_version = "1.0"
    path.write_bytes(graph.SerializeToString(deterministic=True))
    found = place.verify()
    assert found.outcome == "equal" and found.is_equal and found.largest_difference == 0.0
    assert "other bytes, the same answers" in found.sentence


def test_a_version_that_differs_names_code_libraries_and_platform(place: Place) -> None:
    place.tell_recipe(settings={"C": 0.001}, libraries={"numpy": "1.0.0"}, platform="VAX")
    place.tell_revision("0" * 40)
    found = place.verify()
    assert found.outcome == "differs" and not found.is_equal and found.largest_difference > 1e-3
    now = code_revision(ROOT)
    assert found.differing == (
        f"the code was {'0' * 40} and is {now}",
        f"numpy was 1.0.0 and is {np.__version__}",
        f"the platform was VAX and is {this_platform()}",
    )
    assert "DIFFERS" in found.sentence and "numpy was 1.0.0" in found.sentence


def test_one_that_differs_with_nothing_changed_is_called_a_fault(place: Place) -> None:
    place.tell_recipe(settings={"C": 0.001})
    place.tell_revision(code_revision(ROOT).removesuffix("+dirty"))
    found = place.verify()
    assert found.outcome == "differs"
    if not found.differing:  # in a checkout with changes the code itself is what differs
        assert "a fault to report" in found.sentence


@pytest.mark.parametrize("damage", ["absent", "unreadable", "other rows"])
def test_data_that_are_not_as_they_were_are_named(place: Place, damage: str) -> None:
    if damage == "absent":
        place.snapshot.unlink()
    elif damage == "unreadable":
        place.snapshot.write_bytes(place.snapshot.read_bytes()[:-100])
    else:
        rows = pd.read_parquet(place.snapshot)
        rows.loc[0, "income"] = 1.0
        rows.to_parquet(place.snapshot, index=False)
    expected = {
        "absent": "There is no snapshot",
        "unreadable": "is no readable Parquet file",
        "other rows": "holds other rows than its name says",
    }
    with pytest.raises(NotVerifiable, match="its data are not as they were") as refused:
        place.verify()
    assert expected[damage] in str(refused.value)


def test_what_is_missing_is_named(place: Place) -> None:
    with pytest.raises(UnknownVersion, match="no version is called visits:unknown"):
        verify("visits:unknown", home=place.folder, database=place.database)
    with place.database.writing() as connection:
        connection.execute(text("UPDATE runs SET parameters_json = NULL"))
    with pytest.raises(NotVerifiable, match="settings with which"):
        place.verify()


def test_a_version_whose_files_are_gone_is_named(place: Place) -> None:
    shutil.rmtree(place.model)
    with pytest.raises(NotVerifiable, match=f"{place.tag} cannot be trained again"):
        place.verify()
