"""`rebento predict FILE`: every row answered in order, the file whole or not at all, in bounded memory."""

from __future__ import annotations

import gzip
import os
import subprocess
from itertools import islice
from pathlib import Path

import pandas as pd
import pytest

from files.predictions import CHUNK_ROWS, FileAnswer, predict_file
from loop.refusals import DataNotFound, InvalidRows, Problem, Refusal
from runner.package import Package
from tests.homes import BIN, Home

pytestmark = pytest.mark.slow
COLUMNS = ["row", "person", "prediction", "probability_no", "probability_yes", "warnings", "problem"]
GIB = 2**30


def predicted(package: Package, source: Path, destination: Path) -> tuple[FileAnswer, pd.DataFrame]:
    answer = predict_file(package, source, destination, lambda rows: None)
    read = pd.read_parquet if destination.suffix == ".parquet" else pd.read_csv
    return answer, read(destination)


def answers_of_the_graph(package: Package, rows: pd.DataFrame) -> list[tuple[str, float]]:
    """Label and probability of yes, row by row, as `/predict` would get them."""
    told = []
    for record in rows.astype(object).where(rows.notna(), None).to_dict("records"):
        checked = package.checker.check([record])
        answers = package.graph.answer(checked.numbers, checked.categories)
        told.append((answers.labels[0], round(float(answers.probabilities[0, 1]), 6)))
    return told


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_every_row_has_the_answer_of_the_api_in_the_order_of_the_file(
    package: Package, unlabelled: pd.DataFrame, tmp_path: Path, ending: str
) -> None:
    source = tmp_path / "rows.csv"
    unlabelled.to_csv(source, index=False)
    answer, written = predicted(package, source, tmp_path / f"answers{ending}")
    assert list(written.columns) == COLUMNS
    assert written["row"].tolist() == list(range(30))
    assert written["person"].astype(str).tolist() == unlabelled["person"].astype(str).tolist()
    expected = answers_of_the_graph(package, unlabelled)
    assert written["prediction"].tolist() == [label for label, _ in expected]
    assert written["probability_yes"].tolist() == pytest.approx([p for _, p in expected], abs=2e-6)
    assert (written["probability_no"] + written["probability_yes"]).tolist() == pytest.approx(
        [1.0] * 30, abs=2e-6
    )
    assert written["problem"].isna().all()
    assert (answer.rows, answer.refused, answer.ignored_columns, answer.first_problem) == (30, 0, (), None)


def test_csv_gzip_and_parquet_of_the_same_rows_have_the_same_answers(
    package: Package, unlabelled: pd.DataFrame, tmp_path: Path
) -> None:
    plain, zipped, parquet = (tmp_path / name for name in ("rows.csv", "rows.csv.gz", "rows.parquet"))
    unlabelled.to_csv(plain, index=False)
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    unlabelled.to_parquet(parquet, index=False)
    for number, source in enumerate((plain, zipped, parquet)):
        predict_file(package, source, tmp_path / f"{number}.csv", lambda rows: None)
    assert (tmp_path / "0.csv").read_bytes() == (tmp_path / "1.csv").read_bytes()
    assert (tmp_path / "0.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_bad_row_has_a_problem_and_no_prediction_and_the_others_are_answered(
    package: Package, unlabelled: pd.DataFrame, tmp_path: Path, ending: str
) -> None:
    rows = unlabelled.astype({"age": object, "income": object})
    rows.loc[4, "age"] = "old"
    rows.loc[9, "site"] = None
    rows.loc[9, "income"] = None
    rows.loc[11, "site"] = "Atlantis"
    rows.to_csv(tmp_path / "rows.csv", index=False)
    answer, written = predicted(package, tmp_path / "rows.csv", tmp_path / f"answers{ending}")
    bad = written[written["problem"].notna()]
    assert bad["row"].tolist() == [4, 9]
    assert bad["prediction"].isna().all() and bad["probability_yes"].isna().all()
    assert bad["problem"].iloc[0] == "age: must be a number, not the text 'old'"
    assert "site: " in bad["problem"].iloc[1] and "income: " in bad["problem"].iloc[1]
    assert written["prediction"].notna().sum() == 28
    assert "Atlantis" in written["warnings"].iloc[11] and written["warnings"].iloc[11].startswith("site: ")
    assert answer.refused == 2 and answer.warned >= 1
    assert answer.first_problem == Problem(4, "age", "must be a number, not the text 'old'")


def test_problems_of_later_chunks_name_the_rows_of_the_file(
    package: Package, unlabelled: pd.DataFrame, tmp_path: Path
) -> None:
    """A first chunk without any problem or warning must not fix the types of the file either."""
    rows = pd.concat([unlabelled.iloc[:1]] * (CHUNK_ROWS + 3), ignore_index=True)
    rows.loc[CHUNK_ROWS + 1, "sex"] = None
    rows.to_parquet(tmp_path / "rows.parquet", index=False)
    steps: list[int] = []
    answer = predict_file(package, tmp_path / "rows.parquet", tmp_path / "answers.parquet", steps.append)
    written = pd.read_parquet(tmp_path / "answers.parquet")
    assert steps == [CHUNK_ROWS, 3]
    assert written["row"].tolist() == list(range(CHUNK_ROWS + 3))
    assert written.index[written["problem"].notna()].tolist() == [CHUNK_ROWS + 1]
    assert answer.first_problem is not None and answer.first_problem.row == CHUNK_ROWS + 1


def test_ids_keep_their_leading_zeros(package: Package, unlabelled: pd.DataFrame, tmp_path: Path) -> None:
    ids = [f"{number:07d}" for number in range(30)]
    unlabelled.assign(person=ids).to_csv(tmp_path / "rows.csv", index=False)
    predict_file(package, tmp_path / "rows.csv", tmp_path / "answers.csv", lambda rows: None)
    assert pd.read_csv(tmp_path / "answers.csv", dtype=str)["person"].tolist() == ids


def test_columns_that_are_no_features_may_be_there_or_not(
    package: Package, labelled: pd.DataFrame, tmp_path: Path
) -> None:
    """Target, id and time are no unknown columns; others are named, and change nothing."""
    labelled.assign(zodiac="lion", colour=1).to_csv(tmp_path / "more.csv", index=False)
    bare = labelled.drop(columns=["doctor_visit", "person", "year", "general_health_index"])
    bare.to_csv(tmp_path / "bare.csv", index=False)
    more, with_more = predicted(package, tmp_path / "more.csv", tmp_path / "1.csv")
    less, with_less = predicted(package, tmp_path / "bare.csv", tmp_path / "2.csv")
    assert more.ignored_columns == ("colour", "zodiac") and less.ignored_columns == ()
    assert list(with_less.columns) == [name for name in COLUMNS if name != "person"]
    pd.testing.assert_series_equal(with_more["probability_yes"], with_less["probability_yes"])


def test_a_file_without_required_columns_is_refused_and_all_of_them_are_listed(
    package: Package, unlabelled: pd.DataFrame, tmp_path: Path
) -> None:
    unlabelled.drop(columns=["sex", "age"]).to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "answers.csv").write_text("of yesterday")
    with pytest.raises(InvalidRows, match="lacks required columns: age, sex") as refused:
        predict_file(package, tmp_path / "rows.csv", tmp_path / "answers.csv", lambda rows: None)
    assert refused.value.missing_features == ("age", "sex")
    assert (tmp_path / "answers.csv").read_text() == "of yesterday"
    assert {path.name for path in tmp_path.iterdir()} == {"rows.csv", "answers.csv"}


class Stopped(Exception):
    """The person pressed Ctrl-C."""


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_run_that_ends_half_way_leaves_the_older_answers_as_they_were(
    package: Package, unlabelled: pd.DataFrame, tmp_path: Path, ending: str
) -> None:
    unlabelled.to_csv(tmp_path / "rows.csv", index=False)
    destination = tmp_path / f"answers{ending}"
    destination.write_text("of yesterday")

    def stop(rows: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        predict_file(package, tmp_path / "rows.csv", destination, stop)
    assert destination.read_text() == "of yesterday"
    assert {path.name for path in tmp_path.iterdir()} == {"rows.csv", destination.name}


def test_a_destination_that_cannot_be_one_is_refused_before_any_row_is_answered(
    package: Package, unlabelled: pd.DataFrame, tmp_path: Path
) -> None:
    source = tmp_path / "rows.csv"
    unlabelled.to_csv(source, index=False)
    before = source.read_bytes()
    for destination, said in (
        (tmp_path / "nowhere" / "answers.csv", "there is no folder"),
        (tmp_path, "is a folder"),
        (tmp_path / "answers.xlsx", r"end it in \.csv or \.parquet"),
        (source, "name another file"),
    ):
        with pytest.raises(Refusal, match=said):
            predict_file(package, source, destination, pytest.fail)
    assert source.read_bytes() == before


def test_a_file_that_is_not_there_or_has_no_rows_is_named(
    package: Package, unlabelled: pd.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(DataNotFound, match=r"There is no file .*nowhere\.csv"):
        predict_file(package, tmp_path / "nowhere.csv", tmp_path / "answers.csv", lambda rows: None)
    unlabelled.iloc[:0].to_csv(tmp_path / "none.csv", index=False)
    unlabelled.iloc[:0].to_parquet(tmp_path / "none.parquet", index=False)
    for name in ("none.csv", "none.parquet"):
        for ending in (".csv", ".parquet"):
            with pytest.raises(InvalidRows, match=f"{name} has no rows"):
                predict_file(package, tmp_path / name, tmp_path / f"answers{ending}", lambda rows: None)
    assert {path.name for path in tmp_path.iterdir()} == {"none.csv", "none.parquet"}


def test_a_million_rows_are_answered_in_less_than_a_gibibyte(
    trained: Home, unlabelled: pd.DataFrame, tmp_path: Path
) -> None:
    heading, *lines = unlabelled.to_csv(index=False).splitlines(keepends=True)
    block = "".join(lines)
    with (tmp_path / "million.csv").open("w") as file:
        file.write(heading)
        for _ in range(1_000_000 // 30):
            file.write(block)
        file.writelines(lines[: 1_000_000 % 30])
    process = subprocess.Popen(
        [BIN / "rebento", "predict", "million.csv", "--output", "answers.csv"],
        cwd=tmp_path,
        env=trained.copy(tmp_path / "home").environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)  # this one child's own peak
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert said.startswith("1,000,000 rows -> ")
    assert used.ru_maxrss * 1024 < GIB
    with (tmp_path / "answers.csv").open() as file:
        numbers = [int(line.partition(",")[0]) for line in islice(file, 1, None)]
    assert numbers == list(range(1_000_000))
