"""Both sides of a comparison, from a real package and a real database."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest

from loop.holdout import is_holdout
from loop.progress import Silence
from reporting.asked import Asked
from reporting.chunks import dated_chunks, sample_chunks
from reporting.compared import Compared, compared
from reporting.windows import Window, current_window, reference_window
from runner.package import REFERENCE, Package
from storage.database import Database
from storage.feedback import Feedback, record_feedback
from storage.predictions import Prediction, record_predictions
from tests.homes import Home
from use_cases.derive import frame_rows
from use_cases.doctor_visits.loader import person_years
from use_cases.use_case import UseCase, read_use_case

pytestmark = pytest.mark.slow  # a Bento is trained

K = 10**9


@pytest.fixture(scope="module")
def package(trained: Home) -> Package:
    (folder,) = (trained.var / "bentoml" / "models" / "small").glob("*/")
    return Package.open(folder)


@pytest.fixture(scope="module")
def use_case(trained: Home) -> UseCase:
    return read_use_case("small", (trained.folder / "use_cases",))


@pytest.fixture(scope="module")
def reference(package: Package) -> Window:
    return reference_window("reference", package, sample_chunks(package), seed=0)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path / 'rebento.sqlite'}")
    opened.migrate()
    yield opened
    opened.close()


def answer(package: Package, place: int, row: dict[str, Any], bento: str) -> Prediction:
    return Prediction(
        prediction_id=f"p{place:05}",
        use_case="small",
        bento=bento,
        predicted_at_ms=1_000 + place // 10,
        row_json=orjson.dumps(row).decode(),
        vector=b"",
        label="no",
        probabilities_json='{"no": 0.7, "yes": 0.3}',
        confidence=0.7,
        entity_id=f"person {place // 2}",
        event_time=None,
        origin="request",
        is_holdout=False,
    )


def answered(
    database: Database, package: Package, rows: list[dict[str, Any]], bento: str | None = None, start: int = 0
) -> None:
    """Stores an answer to each row; every third is told to be 'yes'."""
    stored = [
        answer(package, start + place, row, bento or package.info.bento) for place, row in enumerate(rows)
    ]
    with database.writing() as connection:
        record_predictions(connection, stored, K)
        told = [Feedback(one.prediction_id, "yes", None, None, 9_000, None) for one in stored[::3]]
        record_feedback(connection, "small", told, K)


def sent(package: Package, count: int) -> list[dict[str, Any]]:
    return frame_rows(package.contract, pd.read_parquet(package.folder / REFERENCE))[:count]


def sides(package: Package, use_case: UseCase, database: Database, asked: Asked, at_ms: int = 0) -> Compared:
    return compared(asked, package, use_case, data=Path(), database=database, at_ms=at_ms, progress=Silence())


def test_the_reference_is_what_was_predicted_out_of_fold(package: Package, reference: Window) -> None:
    kept = pd.read_parquet(package.folder / REFERENCE)
    assert reference.total_rows == len(reference.rows) == len(reference.answered) == len(kept)
    assert list(reference.rows.columns) == [column.name for column in package.contract.columns]
    assert reference.rows["income"].dtype == np.float64 and set(reference.rows["sex"]) == {"female", "male"}
    assert reference.answered.labels.tolist() == kept["doctor_visit"].tolist()
    assert reference.answered.predictions.tolist() == kept["prediction"].tolist()
    np.testing.assert_array_equal(
        reference.answered.probabilities, kept[["probability_no", "probability_yes"]].to_numpy()
    )
    assert reference.vectors.shape == (len(kept), 8) and reference.vectors.dtype == np.float32
    assert reference.answered.places.tolist() == list(range(len(kept)))
    assert reference.sample_seed is None and reference.profile.rows == len(kept)


def test_answers_of_production_carry_their_truths_and_whose_they_are(
    package: Package, use_case: UseCase, database: Database
) -> None:
    answered(database, package, sent(package, 40))
    found = sides(package, use_case, database, Asked(last_rows=30))
    window = found.current
    assert (window.name, window.total_rows, window.labelled_rows) == ("last 30 rows", 30, 10)
    # The last 30 of 40, and every third of the 40 is told.
    assert [label is not None for label in window.answered.labels] == [
        place % 3 == 0 for place in range(10, 40)
    ]
    assert set(window.answered.predictions) == {"no"}
    assert window.answered.probabilities.tolist() == [[0.7, 0.3]] * 30
    assert window.answered.identities.tolist() == [f"person {place // 2}" for place in range(10, 40)]
    assert (window.answered.total_rows, window.answered.total_labelled) == (30, 10)
    assert found.notes == ()
    one_day = sides(package, use_case, database, Asked(last_days=1), at_ms=1_002)
    assert one_day.current.total_rows == 30 and one_day.current.name == "last day"


def test_answers_of_another_bento_lend_their_inputs_alone(
    package: Package, use_case: UseCase, database: Database
) -> None:
    answered(database, package, sent(package, 20), bento="small:earlier")
    answered(database, package, sent(package, 10), start=20)
    found = sides(package, use_case, database, Asked(last_rows=100))
    assert (found.current.total_rows, found.current.answered.total_rows) == (30, 10)
    assert found.current.answered.places.tolist() == list(range(20, 30))
    assert found.current.labelled_rows == 11 and found.current.answered.total_labelled == 4
    assert found.current.profile.target.sum() == 11 and found.current.profile.prediction.sum() == 10
    assert "20 of the 30 rows were answered by an earlier Bento" in found.notes[0]


def test_rows_that_break_the_contract_are_counted_and_said(
    package: Package, use_case: UseCase, database: Database
) -> None:
    rows = sent(package, 5)
    rows[1] = {**rows[1], "income": "much"}
    rows[2] = {"shoe_size": 44}
    answered(database, package, rows)
    found = sides(package, use_case, database, Asked(last_rows=100))
    assert (found.current.total_rows, found.current.refused) == (3, 2)
    assert found.notes == (
        f"2 rows of last 100 rows break the contract of {package.info.bento} and were left out; the first: "
        "income must be a number, not the text 'much'.",
    )


def test_a_window_without_rows_is_no_error(package: Package, use_case: UseCase, database: Database) -> None:
    for asked in (Asked(last_rows=10), Asked(last_days=3)):
        found = sides(package, use_case, database, asked)
        assert (found.current.total_rows, len(found.current.answered)) == (0, 0)
        assert list(found.current.rows.columns) == list(found.reference.rows.columns)
        assert "has no rows: nothing was compared" in found.notes[0]


def test_past_its_size_a_window_is_sampled_and_its_counts_are_not(
    package: Package, reference: Window
) -> None:
    frame = person_years(Path()).iloc[:1_500]

    def window(**sizes: int) -> Window:
        chunks = dated_chunks(package, frame, lambda rows: None)
        return current_window("all", package, chunks, reference.profile.bins, seed=7, **sizes)

    whole, part = window(), window(sample_rows=100, answered_rows=150)
    assert (whole.sample_seed, part.sample_seed) == (None, 7)
    assert (len(part.rows), part.total_rows, len(part.vectors)) == (100, 1_500, 100)
    for name, counts in whole.profile.inputs.items():
        np.testing.assert_array_equal(part.profile.inputs[name], counts)
    assert len(part.answered) == 150 and part.answered.total_rows == whole.answered.total_rows > 150
    is_there = part.answered.places >= 0
    assert 5 < is_there.sum() < 100
    # The same person in both: a row's vector belongs to the whole window's row of that place.
    by_person = dict(zip(whole.answered.identities, whole.answered.places, strict=True))
    for person, place in islice(
        zip(part.answered.identities[is_there], part.answered.places[is_there], strict=True), 20
    ):
        assert (
            part.rows.iloc[place]["education_years"] == whole.rows.iloc[by_person[person]]["education_years"]
        )


def test_of_the_source_only_held_out_rows_tell_the_quality(package: Package, reference: Window) -> None:
    frame = person_years(Path()).iloc[:600]
    (chunk,) = dated_chunks(package, frame, lambda rows: None)
    held_out = [is_holdout(str(person), package.info.holdout, "small") for person in frame["person"]]
    assert 50 < sum(held_out) < 200
    assert [prediction is not None for prediction in chunk.predictions] == held_out
    assert (~np.isnan(chunk.probabilities).any(axis=1)).tolist() == held_out
    assert chunk.labels.tolist() == frame["doctor_visit"].tolist()
    window = current_window("part", package, [chunk], reference.profile.bins, seed=0)
    assert window.answered.total_rows == sum(held_out) and window.labelled_rows == 600
