"""Predict a file, with a real service: what is wrong first, then answers by the page, and a safe download."""

from __future__ import annotations

import csv
import io
import re
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pyarrow
import pyarrow.parquet
import pytest

from tests.homes import Server, free_port, wait_for
from tests.webapp.conftest import Pages, plan_of, served
from webapp.answered import page_of, safe_for_spreadsheets, summarise
from webapp.uploads import KEPT_MS, NotATable, Uploads

#: Files are answered at low priority: on a busy machine everybody else comes first.
PATIENCE_SECONDS = 240
#: Runs before the first line of a job.
_HELD = """\
import time
from pathlib import Path

while Path({held!r}).exists():
    time.sleep(0.01)
"""


def _table(rows: list[dict[str, Any]]) -> bytes:
    written = io.StringIO()
    writer = csv.DictWriter(written, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue().encode()


def _upload(pages: Pages, content: bytes, name: str = "rows.csv") -> httpx.Response:
    return pages.post("/files", data={"csrf": pages.token()}, files={"file": (name, content)})


def _answered(pages: Pages, content: bytes, name: str = "rows.csv") -> str:
    """The address of a file whose rows were answered."""
    path = _upload(pages, content, name).headers["location"]
    assert pages.submit(f"{path}/start").headers["location"] == path
    wait_until_answered(pages, path)
    return str(path)


def wait_until_answered(pages: Pages, path: str) -> None:
    wait_for(lambda: "Download as CSV" in pages.get(path).text, "the answers", PATIENCE_SECONDS)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("pages")
def test_a_file_is_looked_at_answered_shown_by_the_page_and_downloaded(
    pages: Pages, server: Server, row: dict[str, Any]
) -> None:
    rows = [{**row, "person": f"={number}+1", "note": "x"} for number in range(120)]
    rows[3]["age"] = "old"
    with sqlite3.connect(server.home.database_url.removeprefix("sqlite:///")) as connection:
        before = connection.execute("SELECT count(*) FROM predictions").fetchone()
    path = _upload(pages, _table(rows), "../../<b>evil</b>.csv").headers["location"]
    preview = pages.get(path).text
    assert "Of the first 50 rows, 1 break the contract" in preview and "“old” is not a number." in preview
    assert "left aside" in preview and "to find it again" in preview
    assert "<b>evil" not in preview and "About 120 rows" in preview
    other = _upload(pages, _table([row])).headers["location"]
    assert "“old” is not a number." not in pages.get(other).text, "each file has its own preview"
    assert "« old » n’est pas un nombre." in pages.get(path, headers={"accept-language": "fr"}).text
    assert "“old” is not a number." in pages.get(path).text
    pages.submit(f"{path}/start")
    wait_until_answered(pages, path)
    first, last = pages.get(path).text, pages.get(f"{path}?page=3").text
    assert "120 rows were looked at." in first and "One breaks the contract" in first
    assert "Rows 1 to 50 of 120" in first and "Rows 101 to 120 of 120" in last
    assert "Page 3 of 3" in pages.get(f"{path}?page=99").text
    alone = pages.get(f"{path}?page=2", headers={"hx-request": "true", "hx-target": "answers"}).text
    assert "<html" not in alone and "Rows 51 to 100" in alone
    told = pages.get(f"{path}/answers.csv")
    assert told.headers["content-disposition"] == 'attachment; filename="answers.csv"'
    answers = list(csv.DictReader(io.StringIO(told.text)))
    assert len(answers) == 120 and answers[7]["person"] == "'=7+1"
    assert answers[3]["problem"] and not answers[3]["prediction"]
    assert float(answers[0]["probability_yes"]) + float(answers[0]["probability_no"]) == pytest.approx(
        1, abs=1e-5
    )
    with sqlite3.connect(server.home.database_url.removeprefix("sqlite:///")) as connection:
        assert connection.execute("SELECT count(*) FROM predictions").fetchone() == before
    listed = pages.get("/files").text
    assert path in listed and "answered" in listed
    assert pages.submit(f"{path}/remove").headers["location"] == "/files"
    assert pages.get(path).status_code == 404 and path not in pages.get("/files").text


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("pages")
def test_a_hundred_thousand_rows_of_parquet_are_answered_while_the_pages_answer(
    pages: Pages, row: dict[str, Any]
) -> None:
    table = io.BytesIO()
    many = {name: [value] * 100_000 for name, value in row.items()}
    pyarrow.parquet.write_table(pyarrow.table(many), table)
    path = _upload(pages, table.getvalue(), "many.parquet").headers["location"]
    assert "About 100,000 rows" in pages.get(path).text
    pages.submit(f"{path}/start")
    seconds: list[float] = []

    def is_done() -> bool:
        answer = pages.get(path)
        seconds.append(answer.elapsed.total_seconds())
        return "Download as CSV" in answer.text

    wait_for(is_done, "the answers", PATIENCE_SECONDS)
    # A machine may hold up any one of them; pages that wait for the work have few, and those are slow.
    assert len(seconds) >= 5 and sorted(seconds)[len(seconds) * 9 // 10] < 2
    assert "Rows 99,951 to 100,000 of 100,000" in pages.get(f"{path}?page=2000").text


@pytest.mark.slow
@pytest.mark.xdist_group("pages")
def test_a_file_that_lacks_a_required_column_cannot_be_started(pages: Pages, row: dict[str, Any]) -> None:
    without = {name: value for name, value in row.items() if name != "age"}
    shown = pages.get(_upload(pages, _table([without])).headers["location"]).text
    assert "A required column is missing" in shown and "<code>age</code>" in shown
    assert 'id="start"' not in shown


@pytest.mark.slow
@pytest.mark.xdist_group("pages")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"PK\x03\x04rest", "neither CSV text nor Parquet"),
        (b"PAR1 not really", "cannot be read as Parquet"),
        (b"a,a\n1,2\n", "more than one column named"),
    ],
)
def test_what_is_no_table_is_refused_beside_the_field(pages: Pages, content: bytes, said: str) -> None:
    refused = _upload(pages, content)
    assert refused.status_code == 422 and said in refused.text
    assert 'aria-describedby="file-hint file-problem"' in refused.text
    assert "/uploads/" not in refused.text


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("pages")
def test_a_file_is_answered_while_the_service_is_down_and_shown_by_pages_started_since(
    server: Server, row: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = tmp_path / "held"
    (tmp_path / "sitecustomize.py").write_text(_HELD.format(held=str(held)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with served(plan_of(server, api_url=f"http://127.0.0.1:{free_port()}")) as pages:
        path = _upload(pages, _table([row])).headers["location"]
        assert "could not be checked now" in pages.get(path).text
        pages.submit(f"{path}/start")
        wait_until_answered(pages, path)
        held.touch()
        unfinished = _upload(pages, _table([row] * 500)).headers["location"]
        pages.submit(f"{unfinished}/start")
        wait_for(lambda: "being answered" in pages.get(unfinished).text, "the work to begin")
    held.unlink()
    with served(plan_of(server)) as others:
        assert "All were answered." in others.get(path).text
        assert "Start it again" in others.get(unfinished).text
        others.submit(f"{unfinished}/start")
        wait_until_answered(others, unfinished)


def test_formulas_are_defused_and_numbers_stay(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    cells = ["=1+1", "+a", "-a", "@a", "\ta", "\ra", "-0.5", "+3", "a=b", ""]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["row", *map(str, range(9))], cells])
    told = list(csv.reader(io.StringIO("".join(safe_for_spreadsheets(path)), newline="")))
    assert told[1] == ["'=1+1", "'+a", "'-a", "'@a", "'\ta", "'\ra", "-0.5", "+3", "a=b", ""]


def test_a_page_of_answers_is_found_by_its_place(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "prediction", "warnings", "problem"])
        for number in range(131):
            writer.writerow([number, "a\nb", "", 'say "no"' if number == 60 else ""])
    found = summarise(path)
    assert (found.rows, found.refused, found.problems) == (131, 1, (("60", 'say "no"'),))
    assert summarise(path) == found
    assert [len(page_of(path, number)) for number in range(4)] == [50, 50, 31, 0]
    assert page_of(path, 1)[10] == ["60", "a\nb", "", 'say "no"']


def test_uploads_go_after_a_day_and_names_never_become_paths(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "uploads")
    kept = uploads.add(io.BytesIO(b"a,b\n1,2\n3,4"), "../../../etc/passwd\x00", 1_000)
    assert (kept.name, kept.rows, kept.suffix) == ("passwd", 2, ".csv")
    assert uploads.rows_path(kept).parent.parent == tmp_path / "uploads"
    assert not re.search("passwd", str(uploads.rows_path(kept)))
    with pytest.raises(NotATable):
        uploads.add(io.BytesIO(b" \n"), "empty", 1_000)
    uploads.prune(1_000 + KEPT_MS)
    assert uploads.all() == (kept,)
    uploads.prune(1_001 + KEPT_MS, {kept.upload_id})
    assert uploads.all() == (kept,)
    uploads.prune(1_001 + KEPT_MS)
    assert uploads.all() == () and not list((tmp_path / "uploads").iterdir())
