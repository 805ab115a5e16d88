"""One report in this process, with the real Evidently, from odd windows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pytest

from loop.clock import now_ms
from loop.progress import Silence
from reporting.run import Reporting, ReportTaken, make_report
from runner.package import REFERENCE, Package
from storage.database import Database
from storage.decisions import decisions
from storage.feedback import Feedback, record_feedback
from storage.predictions import Prediction, record_predictions
from storage.reports import Report, claim_report, find_report, request_report
from tests.homes import Home
from tests.journeys.trainers import stored
from use_cases.derive import frame_rows
from use_cases.use_case import read_use_case

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    # Evidently's own, of the libraries it uses.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

K = 10**9
BY = "command@here:1:1"
Row = dict[str, Any]


@pytest.fixture
def home(trained: Home, tmp_path: Path) -> Home:
    return trained.copy(tmp_path)


@pytest.fixture
def database(home: Home) -> Iterator[Database]:
    with stored(home) as opened:
        yield opened


@pytest.fixture
def package(home: Home) -> Package:
    (folder,) = (home.var / "bentoml" / "models" / "small").glob("*/")
    return Package.open(folder)


@pytest.fixture
def rows(package: Package) -> list[Row]:
    """The reference's rows in another order: theirs is that of the sites."""
    frame = pd.read_parquet(package.folder / REFERENCE).sample(frac=1, random_state=0)
    return frame_rows(package.contract, frame)


def answered(
    database: Database, package: Package, rows: list[Row], target: Callable[[int], str | None]
) -> None:
    checked = package.checker.check(rows)
    answers = package.graph.answer(checked.numbers, checked.categories)
    stored, told = [], []
    for place, row in enumerate(rows):
        shares = dict(zip(package.contract.classes, map(float, answers.probabilities[place]), strict=True))
        stored.append(
            Prediction(
                *(f"p{place}", "small", package.info.bento, now_ms(), orjson.dumps(row).decode(), b""),
                *(answers.labels[place], json.dumps(shares), max(shares.values()), None, None),
                *("request", False),
            )
        )
        truth = target(place)
        if truth is not None:
            told.append(Feedback(f"p{place}", truth, None, None, now_ms(), None))
    with database.writing() as connection:
        record_predictions(connection, stored, K)
        record_feedback(connection, "small", told, K)


def reporting(home: Home, database: Database, by: str = BY) -> Reporting:
    return Reporting(
        use_case=read_use_case("small", (home.folder / "use_cases",)),
        home=home.var,
        data=home.folder,
        database=database,
        claimed_by=by,
        progress=Silence(),
        now_ms=now_ms,
    )


def claimed(database: Database) -> Report:
    with database.writing() as connection:
        request_report(connection, "small", trigger="person", reason="a test", at_ms=now_ms())
        report = claim_report(connection, "small", now_ms(), BY)
    assert report is not None
    return report


def made(home: Home, database: Database) -> tuple[Report, dict[str, Any]]:
    """The report of the newest rows, and its JSON file."""
    report = claimed(database)
    sentence = make_report(report, reporting(home, database))
    with database.reading() as connection:
        ended = find_report(connection, report.report_id)
    assert ended is not None and (ended.state, ended.sentence) == ("done", sentence)
    assert ended.html is not None and (home.var / ended.html).stat().st_size > 100_000

    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} is no JSON")

    assert ended.json is not None
    kept = json.loads((home.var / ended.json).read_text(), parse_constant=refuse)
    assert kept["evidently"]["metrics"]
    return ended, kept


def never(place: int) -> None:
    return None


def often(place: int) -> str | None:
    return ("yes" if place % 3 else "no") if place % 2 else None


ODD: dict[str, tuple[int, Callable[[Row], Row], Callable[[int], str | None], str]] = {
    "one row": (1, dict, often, "INVESTIGATE"),
    "no labels": (300, dict, never, "NO_ACTION"),
    "one class alone": (300, dict, lambda place: "yes", ""),
    "a class never seen": (300, dict, lambda place: "perhaps", ""),
    "a class never seen beside the others": (300, dict, lambda p: ("perhaps", "yes", "no")[p % 3], ""),
    "constant columns": (300, lambda row: row | {"income": 10_000.0, "sex": "male"}, often, ""),
    "new categories": (300, lambda row: row | {"site": "Atlantis", "insurance": "<b>none</b>"}, often, ""),
    "columns all missing": (300, lambda row: row | {"income": None, "age": None}, often, ""),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_windows_give_a_report_of_what_can_be_said(
    name: str, home: Home, database: Database, package: Package, rows: list[Row]
) -> None:
    count, change, target, decision = ODD[name]
    nullable = {column.name for column in package.contract.columns if column.nullable}
    odd = [change(row) for row in rows[:count]]
    odd = [
        {key: row[key] if value is None and key not in nullable else value for key, value in changed.items()}
        for row, changed in zip(rows, odd, strict=False)
    ]
    answered(database, package, odd, target)
    ended, kept = made(home, database)
    assert str(ended.sentence).startswith(decision)
    assert kept["current"]["rows"] == count and len(kept["columns"]) >= 15
    assert all(note.endswith(".") for note in kept["notes"])


def test_numbers_decision_and_row_say_the_same(
    home: Home, database: Database, package: Package, rows: list[Row]
) -> None:
    answered(database, package, rows[:400], often)
    ended, kept = made(home, database)
    apart = ("report", "decision", "evidently")
    assert {key: value for key, value in kept.items() if key not in apart} == json.loads(ended.numbers_json)
    assert kept["report"] == ended.report_id and next(iter(kept)) == "report"
    assert ended.html is not None and ended.report_id in (home.var / ended.html).read_text()[:4_000]
    assert kept["current"] == {"name": "last 1,000 rows", "rows": 400, "answered": 400, "labelled": 200}
    assert kept["reference"]["rows"] == len(rows) and kept["sample"] is None
    assert kept["quality"]["realised"]["rows"] == 200 and kept["quality"]["coverage"] == 0.5
    with database.reading() as connection:
        (decision,) = decisions(connection, "small", kind="drift")
    assert (decision.decision_id, decision.sentence) == (ended.decision_id, ended.sentence)
    told = json.loads(decision.numbers_json)
    assert (told["report"], told["champion"]) == (ended.report_id, ended.bento)
    assert told["production_rows"] == 200


def test_a_report_that_another_process_has_by_now_leaves_no_decision(home: Home, database: Database) -> None:
    report = claimed(database)
    with pytest.raises(ReportTaken):
        make_report(report, reporting(home, database, by="reporter@elsewhere:2:2"))
    with database.reading() as connection:
        assert decisions(connection, "small") == ()
        assert find_report(connection, report.report_id) == report
