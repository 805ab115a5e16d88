"""Feedback later, with a real service: one after another, by file, by search; and the quarantine."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from storage.database import Database
from storage.open_predictions import open_predictions
from storage.quarantine import quarantine_rows, quarantined, suspend_source, suspended_sources
from tests.homes import Server, wait_for
from tests.webapp.conftest import Pages

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pages")]


@pytest.fixture
def database(server: Server) -> Any:
    opened = Database.open(server.home.database_url)
    yield opened
    opened.close()


def _open(database: Database) -> list[str]:
    with database.reading() as connection:
        return [one.prediction_id for one in open_predictions(connection, "small", limit=1_000)]


def _predict(server: Server, database: Database, row: dict[str, Any], *ages: float) -> list[str]:
    ids = [one["prediction_id"] for one in server.predict(*({**row, "age": age} for age in ages))]
    wait_for(lambda: set(ids) <= set(_open(database)), "the log")
    return ids


def _now() -> int:
    return int(time.time() * 1000)


def test_open_predictions_are_told_one_after_another_and_may_be_left_out(
    pages: Pages, server: Server, database: Database, row: dict[str, Any]
) -> None:
    _predict(server, database, row, 20.5, 30.5, 40.5)
    order = _open(database)
    assert "Answer one after another" in pages.get("/feedback").text
    shown = pages.get("/feedback/next").text
    assert f'value="{order[0]}"' in shown and 'data-key="1"' in shown
    skipped = pages.get(f"/feedback/next?after={order[0]}").text
    assert f'value="{order[1]}"' in skipped
    told = pages.submit("/feedback/next", prediction_id=order[1], target="yes")
    assert told.status_code == 303
    following = pages.get(told.headers["location"]).text
    assert "Taken: yes." in following and f'value="{order[2]}"' in following
    assert _open(database) == [order[0], *order[2:]]
    assert "That was the last one" in pages.get(f"/feedback/next?after={order[-1]}").text
    refused = pages.submit("/feedback/next", prediction_id=order[0], target="perhaps")
    assert refused.status_code == 422 and order[0] in _open(database)


def test_an_answer_is_found_by_its_id_its_entity_and_its_time(
    pages: Pages, server: Server, database: Database, row: dict[str, Any]
) -> None:
    (prediction_id,) = _predict(server, database, {**row, "person": "entity-4711"}, 33.5)
    for asked in (f"q={prediction_id}", "q=entity-4711", "q=entity-4711&since=2020-01-01T00:00"):
        assert (
            f"/predictions/{prediction_id}" in pages.get(f"/feedback?{asked}").text.split("Find an answer")[1]
        )
    for asked in ("q=nothing", "q=entity-4711&until=2020-01-01T00:00", "since=2999-01-01T00:00"):
        assert "No stored answer fits." in pages.get(f"/feedback?{asked}").text
    assert "&lt;script&gt;" in pages.get("/feedback", params={"q": "<script>"}).text
    assert pages.get("/feedback?since=never").status_code == 200


def test_a_file_of_truths_is_taken_but_for_the_lines_that_are_refused(
    pages: Pages, server: Server, database: Database, row: dict[str, Any]
) -> None:
    first, second = _predict(server, database, row, 50.5, 51.5)
    before = pages.get("/feedback").text
    lines = f"prediction_id;target\n{first};yes\ninvented;no\n{second};perhaps\n{second};no\n"
    sent = pages.post(
        "/feedback/file", data={"csrf": pages.token()}, files={"file": ("truths.csv", lines.encode())}
    )
    assert sent.status_code == 303
    report = pages.get(sent.headers["location"]).text
    assert "2 true answers were taken." in report and "2 lines were refused." in report
    assert re.search(r'class="number">3</th><td><code>invented</code>', report)
    assert re.search(r'class="number">4</th>.*is no class', report)
    assert not {first, second} & set(_open(database))
    wanted = [int(re.search(r"(\d+) more true answers start", text).group(1)) for text in (before, report)]  # type: ignore[union-attr]
    assert wanted[0] - wanted[1] == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"id,target\n1,yes\n", "must name the columns prediction_id and target"),
        (b"prediction_id,target\n", "no lines below its first"),
        (b"prediction_id,target\n\xff\xfe,yes\n", "not UTF-8"),
    ],
)
def test_a_file_that_holds_no_truths_is_refused(pages: Pages, content: bytes, said: str) -> None:
    refused = pages.post("/feedback/file", data={"csrf": pages.token()}, files={"file": ("t.csv", content)})
    assert refused.status_code == 422 and said in refused.text


def test_a_suspended_source_is_released_after_a_question(
    pages: Pages, server: Server, database: Database, row: dict[str, Any]
) -> None:
    (prediction_id,) = _predict(server, database, row, 60.5)
    with database.writing() as connection:
        suspend_source(connection, "small", "odd & co", reason="disagrees", at_ms=_now(), since_ms=0)
    told = {"prediction_id": prediction_id, "target": "no", "source": "odd & co"}
    assert server.call("/feedback", {"feedback": [told]}).status == 200
    assert prediction_id not in _open(database)
    shown = pages.get("/feedback").text
    assert "odd &amp; co" in shown and "One answer is held back" in shown
    question = pages.get("/quarantine?act=release&source=odd%20%26%20co").text
    assert "Release from quarantine?" in question and "One true answer will take part" in question
    assert "Those that never counted count now" in question
    with database.reading() as connection:
        assert suspended_sources(connection, "small")
    assert pages.submit("/quarantine", act="release", source="odd & co").status_code == 303
    with database.reading() as connection:
        assert not suspended_sources(connection, "small") and not quarantined(connection, "small")
    assert pages.get("/quarantine?act=release&source=odd%20%26%20co").status_code == 409


def test_single_rows_are_discarded_after_a_question(
    pages: Pages, server: Server, database: Database, row: dict[str, Any]
) -> None:
    (prediction_id,) = _predict(server, database, row, 61.5)
    server.call("/feedback", {"feedback": [{"prediction_id": prediction_id, "target": "no"}]})
    with database.writing() as connection:
        (newest,) = connection.exec_driver_sql("SELECT max(feedback_id) FROM feedback").one()
        quarantine_rows(connection, "small", [newest], reason="by hand", at_ms=_now())
    with database.reading() as connection:
        (waiting,) = quarantined(connection, "small")
    assert f'name="row" value="{waiting.quarantine_id}"' in pages.get("/feedback").text
    assert pages.get("/quarantine?act=discard").status_code == 409
    question = pages.get(f"/quarantine?act=discard&row={waiting.quarantine_id}").text
    assert "This cannot be undone." in question and prediction_id in question
    pages.submit("/quarantine", act="discard", row=str(waiting.quarantine_id))
    with database.reading() as connection:
        assert not quarantined(connection, "small")
