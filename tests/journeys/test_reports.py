"""Reports of a running service, from the command line to the training run that one leads to."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loop.clock import now_ms
from storage.automation import pause, resume
from storage.database import Database
from storage.decisions import StoredDecision, decisions
from storage.reports import Report, find_report, reports, request_report
from storage.runs import Run, runs
from tests.databases import only_on_sqlite
from tests.homes import Home, Server, up, wait_for
from tests.journeys.command_line import refused, stored_and_joined
from tests.journeys.trainers import set_policy, stored
from tests.processes import beneath
from tests.shared_data import DATA
from use_cases.contract import Contract
from use_cases.derive import frame_rows
from use_cases.doctor_visits.loader import person_years

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def rows(trained: Home) -> Rows:
    """The rows that the small use case learned from and held out, as a caller would send them."""
    (contract,) = (trained.var / "bentoml" / "models" / "small").glob("*/contract.json")
    return frame_rows(Contract.read(contract), person_years(trained.folder).iloc[:2000])


@pytest.fixture(scope="module")
def served(trained: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = trained.copy(tmp_path_factory.mktemp("reported"))
    set_policy(home, report_hours="null")  # an hour after the promotion the reporter would make its own
    with up(home) as running:
        yield running


@pytest.fixture(scope="module")
def database(served: Server) -> Iterator[Database]:
    with stored(served.home) as opened:
        yield opened


def moved(rows: Rows) -> Rows:
    """The same persons a generation on: half of the columns say something else."""
    other = {"site": "Seattle", "insurance": "pays 50 percent", "sex": "male", "health": "poor"}
    high = {"income": 1.5, "age": 1.3, "education_years": 1.4, "family_size": 2.0}
    return [
        {name: other.get(name, value * high[name] if name in high and value is not None else value)
         for name, value in row.items()}
        for row in rows
    ]  # fmt: skip


def line(home: Home, *arguments: str) -> str:
    """The decision line of `rebento report`, and what must hold of every report."""
    run = home.rebento("report", *arguments)
    printed = run.stdout.splitlines()
    assert printed[1].startswith(("roc_auc: ", "balanced_accuracy: "))
    html, kept = (Path(path.strip()) for path in printed[2:4])
    assert (html.suffix, kept.suffix) == (".html", ".json") and html.stat().st_size > 100_000
    numbers = json.loads(kept.read_text())
    assert numbers["decision"] == printed[0] and numbers["evidently"]
    assert "http://127.0.0.1:" in printed[4]
    return printed[0]


def predicted(served: Server, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    """The answers, once they are in the log."""
    before, _ = stored_and_joined(served.home.database_url)
    given = served.predict(*rows)
    wait_for(
        lambda: stored_and_joined(served.home.database_url)[0] == before + len(rows), "them to be logged"
    )
    return given


def newest(database: Database) -> Report:
    with database.reading() as connection:
        return reports(connection, "small", limit=1)[0]


def drift_runs(database: Database) -> list[Run]:
    with database.reading() as connection:
        return [run for run in runs(connection, "small") if run.trigger == "drift"]


def retrains(database: Database) -> list[StoredDecision]:
    with database.reading() as connection:
        return [one for one in decisions(connection, "small", kind="drift") if one.decision == "RETRAIN"]


def test_before_anything_was_asked_a_report_says_so(served: Server, database: Database) -> None:
    assert line(served.home).startswith("INVESTIGATE drift_share=0.00 < 0.30 (target_drift=unknown): 0 rows")
    notes = json.loads(newest(database).numbers_json)["notes"]
    assert "The window last 1,000 rows has no rows: nothing was compared." in notes


def test_one_row_is_too_few_to_tell(served: Server, rows: Rows) -> None:
    predicted(served, rows[0])
    assert "(target_drift=unknown): 1 row" in line(served.home)


def test_rows_as_before_and_no_labels_call_for_nothing(
    served: Server, database: Database, rows: Rows
) -> None:
    predicted(served, *rows[:1200])
    assert line(served.home, "--last-rows", "1200").startswith("NO_ACTION drift_share=0.0")
    report = newest(database)
    numbers = json.loads(report.numbers_json)
    assert (report.state, report.trigger, report.bento) == ("done", "person", served.home.tags()[0])
    assert numbers["current"] == {
        "name": "last 1,200 rows", "rows": 1_200, "answered": 1_200, "labelled": 0
    }  # fmt: skip
    assert numbers["quality"]["realised"] is None and numbers["quality"]["estimated"]["value"] > 0.5
    assert numbers["target_drift"] is None and numbers["quality"]["coverage"] == 0.0


def test_drift_asks_for_one_training_and_for_none_while_paused(
    served: Server, database: Database, rows: Rows
) -> None:
    for start in range(0, 1_000, 500):
        given = predicted(served, *moved(rows[start : start + 500]))
        told = [{"prediction_id": one["prediction_id"], "target": one["prediction"]} for one in given[:100]]
        assert served.call("/feedback", {"feedback": told}).status == 200
    with database.writing() as connection:
        pause(connection, "small", actor="ana", reason="audit", at_ms=now_ms())
    assert line(served.home).startswith("RETRAIN drift_share=")
    with database.writing() as connection:
        resume(connection, "small", actor="ana", reason="done", at_ms=now_ms())
    assert line(served.home).startswith("RETRAIN drift_share=")
    wait_for(lambda: bool(drift_runs(database)), "the training run that drift asks for", 60)
    asked, *before = retrains(database)
    assert asked.run_id is not None
    (run,) = drift_runs(database)
    assert run.run_id == asked.run_id and run.reason == asked.sentence
    assert [(one.was_paused, one.run_id) for one in before] == [(True, None)]
    assert line(served.home).startswith("RETRAIN drift_share=")
    wait_for(lambda: retrains(database)[0].run_id is not None, "the run that answers the next report", 60)
    assert retrains(database)[0].run_id == run.run_id and len(drift_runs(database)) == 1


def test_the_reporter_makes_what_a_page_asks_for(served: Server, database: Database) -> None:
    with database.writing() as connection:
        asked = request_report(
            connection,
            "small",
            trigger="person",
            reason="from a page",
            asked_json='{"last_days": 2}',
            at_ms=now_ms(),
        )

    def ended() -> Report | None:
        with database.reading() as connection:
            found = find_report(connection, asked.report_id)
        return found if found is not None and found.state in ("done", "failed") else None

    wait_for(lambda: ended() is not None, "the report", 120)
    report = ended()
    assert report is not None and (report.state, report.error) == ("done", None)
    assert report.html is not None and (served.home.var / report.html).is_file()
    (process,) = beneath(served.process.pid, "cli reporter")
    assert not [one.path for one in process.memory_maps() if "/pandas/" in one.path]


# Both months are read from files.
@only_on_sqlite
def test_two_months_of_the_source_tell_a_changed_concept(
    tmp_path: Path, new_database: Callable[[], dict[str, str]]
) -> None:
    with zipfile.ZipFile(DATA / "streamflow_seeds.zip") as archive:
        archive.extractall(tmp_path / "data" / "streamflow")
    home = Home(tmp_path, "streamflow_churn", {"REBENTO_DATA": str(tmp_path / "data"), **new_database()})
    assert "nothing of streamflow_churn is in Production" in refused(home, "report")
    home.rebento("train", "--as-of", "2024-01-31")
    months = ("--reference", "2024-01-31", "--current", "2024-02-29")
    found = line(home, *months)
    assert found.startswith("RETRAIN drift_share=0.") and "the concept has changed" in found
    folder = home.var / "reports" / "streamflow_churn"
    assert (folder / "drift_2024-01-31_vs_2024-02-29.html").is_file()
    assert line(home, *months[:3], "2024-01-31").startswith("NO_ACTION drift_share=0.00 < 0.30")
    assert refused(home, "report", "--current", "2024-03-31").endswith(
        "streamflow_churn has no snapshot of 2024-03-31; it has 2024-01-31, 2024-02-29"
    )
    assert "one window at a time" in refused(home, "report", "--last-rows", "5", "--last-days", "1")
