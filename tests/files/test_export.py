"""`rebento export`: the rows of both files are what the graph makes of the raw rows, in their order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from loop.holdout import is_holdout
from runner.package import Package
from tests.homes import Home
from use_cases.contract import MISSING_CATEGORY, Contract
from use_cases.doctor_visits.loader import person_years

pytestmark = pytest.mark.slow
DIMENSIONS = [f"PCA_{n}" for n in range(1, 9)]


def embedded(package: Package, rows: pd.DataFrame) -> np.ndarray:
    """float32 (rows, dimensions): raw rows through the graph's own file, by none of Rebento's code."""
    contract: Contract = package.contract
    session = onnxruntime.InferenceSession(package.folder / "graph.onnx", providers=["CPUExecutionProvider"])
    numbers = rows[[c.name for c in contract.columns if c.kind == "number"]].to_numpy(dtype=np.float32)
    texts = rows[[c.name for c in contract.columns if c.kind == "category"]]
    categories = texts.where(texts.notna(), MISSING_CATEGORY).to_numpy(dtype=object)
    (vectors,) = session.run(["vector"], {"numbers": numbers, "categories": categories})
    return np.asarray(vectors)


def test_ref_data_is_every_row_the_champion_learned_from_embedded_anew(
    trained: Home, package: Package, tmp_path: Path
) -> None:
    trained.copy(tmp_path / "home").rebento("export", tmp_path)
    written = pd.read_csv(tmp_path / "ref_data.csv")
    assert list(written.columns) == [*DIMENSIONS, "target"]
    raw = person_years(Path()).iloc[:2000]
    learned = raw[[not is_holdout(str(person), 0.2, "small") for person in raw["person"]]]
    assert 0 < len(learned) < 2000
    assert written["target"].tolist() == learned["doctor_visit"].tolist()
    np.testing.assert_allclose(written[DIMENSIONS].to_numpy(), embedded(package, learned), rtol=0, atol=1e-5)


def test_prod_data_is_every_labelled_row_with_the_answer_it_was_given(
    trained: Home, package: Package, labelled: pd.DataFrame, tmp_path: Path
) -> None:
    home = trained.copy(tmp_path / "home")
    shuffled = labelled.sample(frac=1, random_state=3)
    shuffled.to_csv(tmp_path / "rows.csv", index=False)
    home.rebento("feedback", tmp_path / "rows.csv")
    run = home.rebento("export", tmp_path / "out")
    assert f"30 rows -> {tmp_path / 'out' / 'prod_data.csv'}" in run.stdout
    written = pd.read_csv(tmp_path / "out" / "prod_data.csv")
    assert list(written.columns) == [*DIMENSIONS, "target", "prediction"]
    assert written["target"].tolist() == shuffled["doctor_visit"].tolist()
    np.testing.assert_allclose(written[DIMENSIONS].to_numpy(), embedded(package, shuffled), rtol=0, atol=1e-5)
    home.rebento("predict", tmp_path / "rows.csv", "-o", tmp_path / "answers.csv")
    assert written["prediction"].tolist() == pd.read_csv(tmp_path / "answers.csv")["prediction"].tolist()


def test_equal_rows_have_equal_vectors_in_both_files(trained: Home, tmp_path: Path) -> None:
    """One graph embeds both: rows that were learned from and come back as feedback meet themselves."""
    home = trained.copy(tmp_path / "home")
    raw = person_years(Path()).iloc[:2000]
    learned = raw[[not is_holdout(str(person), 0.2, "small") for person in raw["person"]]].iloc[:50]
    learned.to_csv(tmp_path / "rows.csv", index=False)
    home.rebento("feedback", tmp_path / "rows.csv")
    home.rebento("export", tmp_path)
    reference = pd.read_csv(tmp_path / "ref_data.csv").iloc[:50]
    production = pd.read_csv(tmp_path / "prod_data.csv")
    pd.testing.assert_frame_equal(reference, production.drop(columns="prediction"))


def test_without_production_rows_there_is_a_file_with_its_header(trained: Home, tmp_path: Path) -> None:
    trained.copy(tmp_path / "home").rebento("export", tmp_path / "new" / "folder")
    written = (tmp_path / "new" / "folder" / "prod_data.csv").read_text()
    assert written == ",".join([*DIMENSIONS, "target", "prediction"]) + "\n"


def test_a_snapshot_that_is_gone_is_named_and_no_file_is_touched(
    trained: Home, package: Package, tmp_path: Path
) -> None:
    home = trained.copy(tmp_path / "home")
    (home.var / "snapshots" / f"{package.info.data_digest}.parquet").unlink()
    out = tmp_path / "out"
    out.mkdir()
    (out / "ref_data.csv").write_text("of yesterday")
    run = home.rebento("export", out, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith("rebento: ") and package.info.data_digest in run.stderr
    assert [path.name for path in out.iterdir()] == ["ref_data.csv"]
    assert (out / "ref_data.csv").read_text() == "of yesterday"
