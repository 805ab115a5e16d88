"""Reports as a person sees them: asked for, watched until done, with their numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from loop.clock import now_ms
from storage.database import Database
from storage.decisions import act_on_decision, record_decision
from storage.processes import beat
from storage.reports import claim_report, fail_report, reports
from storage.runs import request_run
from tests.webapp.conftest import Pages
from tests.webapp.stored_reports import asked_for, done
from use_cases.use_case import SHIPPED, read_use_case
from webapp.plan import Plan

AS_REGION = {"hx-request": "true", "hx-target": "standing"}
FRENCH = {"accept-language": "fr"}


def test_report_now_asks_for_the_window_that_was_chosen(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    pages = opened()
    answer = pages.submit("/reports", window="dates", since="2026-11-01", until="2026-11-08", last_rows="x")
    assert answer.status_code == 303
    with database.reading() as connection:
        (asked,) = reports(connection, plan.use_case)
    assert answer.headers["location"] == f"/reports/{asked.report_id}"
    assert (asked.trigger, json.loads(asked.asked_json)) == (
        "person",
        {"from": "2026-11-01", "to": "2026-11-08"},
    )
    again = pages.submit("/reports", window="dates", since="2026-11-01", until="2026-11-08")
    assert again.headers["location"] == answer.headers["location"]


@pytest.mark.parametrize(
    ("typed", "field", "sentence"),
    [
        ({"window": "rows", "last_rows": "0"}, "last_rows", "from 1 to 10,000,000"),
        ({"window": "days", "last_days": "<b>"}, "last_days", "from 1 to 3,650"),
        ({"window": "dates", "since": "2026-11-01", "until": "soon"}, "until", "Write a day"),
        ({"window": "dates", "since": "2026-11-02", "until": "2026-11-01"}, "until", "lies before the first"),
    ],
)
def test_a_refused_window_is_said_beside_its_field(
    opened: Callable[..., Pages],
    plan: Plan,
    database: Database,
    typed: dict[str, str],
    field: str,
    sentence: str,
) -> None:
    answer = opened().submit("/reports", **typed)
    assert answer.status_code == 422 and f'id="{field}-problem"' in answer.text
    assert sentence in answer.text and "<b>" not in answer.text
    assert f'value="{typed["window"]}" checked' in answer.text
    with database.reading() as connection:
        assert not reports(connection, plan.use_case)


def test_snapshots_are_offered_where_the_source_has_them_and_no_others_taken(
    opened: Callable[..., Pages], plan: Plan, database: Database, tmp_path: Path
) -> None:
    assert "Two snapshots" not in opened().get("/reports").text
    folder = tmp_path / "cases" / "dated"
    folder.mkdir(parents=True)
    snapshot = "{date: %s, folder: month-%s}"
    listed = ", ".join(snapshot % (day, day) for day in ("2024-01-31", "2024-02-29"))
    (folder / "use_case.yaml").write_text(
        f"source: {{csv: rows.csv, snapshots: [{listed}]}}\ntarget: churn\n"
    )
    pages = opened(read_use_case=lambda: read_use_case("dated", [tmp_path / "cases", SHIPPED]))
    assert '<option value="2024-01-31" selected>' in pages.get("/reports").text
    wrong = pages.submit("/reports", window="snapshots", reference="2024-01-31", current="../x")
    assert wrong.status_code == 422 and 'id="current-problem"' in wrong.text
    right = pages.submit("/reports", window="snapshots", reference="2024-01-31", current="2024-02-29")
    assert "snapshot 2024-02-29 against 2024-01-31" in pages.get(right.headers["location"]).text


def test_a_report_is_watched_live_until_it_isdone(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    pages = opened()
    asked = asked_for(database, plan)
    path = f"/reports/{asked.report_id}"
    assert (
        "No reporter is there" in pages.get(path).text
        and "No reporter is there" in pages.get("/reports").text
    )
    with database.writing() as connection:
        beat(connection, plan.use_case, "reporter", pid=1, host="h", started_at_ms=1, at_ms=now_ms())
    waits = pages.get(path).text
    assert "It waits for the reporter." in waits
    first = re.search(rf'hx-get="({path}\?was=[^"]+)"', waits)
    assert first is not None and pages.get(first.group(1), headers=AS_REGION).status_code == 204
    with database.writing() as connection:
        claim_report(connection, plan.use_case, now_ms(), "reporter@h:1:1")
    text = pages.get(first.group(1), headers=AS_REGION).text
    assert "It is being made." in text and "a &lt;b&gt;hunch&lt;/b&gt;" in text
    again = re.search(rf'hx-get="({path}\?was=[^"]+)"', text)
    assert again is not None
    assert pages.get(again.group(1), headers=AS_REGION).status_code == 204
    with database.writing() as connection:
        fail_report(connection, asked.report_id, now_ms(), "no rows <i>here</i>")
    ended = pages.get(again.group(1), headers=AS_REGION)
    assert "no rows &lt;i&gt;here&lt;/i&gt;" in ended.text and "hx-trigger" not in ended.text
    assert "no rows &lt;i&gt;here&lt;/i&gt;" in pages.get("/reports").text


def test_a_report_says_its_decision_in_words_and_shows_itsnumbers(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    path = f"/reports/{done(database, plan).report_id}"
    pages = opened()
    text = pages.get(path).text
    for said in (
        *("1 of 2 input columns has drifted: 50%; the alarm is at 30%.", "Too few true answers are known to"),
        *("A person should look before anything is trained.", "INVESTIGATE drift_share=0.50 &gt;= 0.30"),
        *("&lt;age&gt;", "seen &lt;once&gt;", "Too few &lt;labels&gt;.", "300 with their truth"),
    ):
        assert said in text, said
    assert text.index(">income") < text.index("&lt;age&gt;"), "drifted columns come first"
    french = pages.get(path, headers=FRENCH).text
    assert "1 colonne d’entrée sur 2 a dérivé" in french and 'lang="en">INVESTIGATE' in french
    assert "1 of 2 input columns has drifted" in pages.get("/reports").text
    assert f'id="last-report" href="{path}"' in pages.get("/").text


def test_a_report_names_the_training_it_led_to(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    with database.writing() as connection:
        told = {"kind": "drift", "decision": "RETRAIN", "sentence": "RETRAIN drift_share=0.5", "at_ms": 1}
        made = record_decision(connection, plan.use_case, **told)
    path, pages = f"/reports/{done(database, plan, decision_id=made).report_id}", opened()
    assert "led-to" not in pages.get(path).text
    with database.writing() as connection:
        run = request_run(connection, plan.use_case, trigger="drift", reason="r", at_ms=1)
        act_on_decision(connection, made, run.run_id)
    assert f'href="/runs/{run.run_id}"' in pages.get(path).text


def test_older_reports_are_a_link_away(opened: Callable[..., Pages], plan: Plan, database: Database) -> None:
    for place in range(32):
        asked_for(database, plan, at_ms=(place + 1) * 1000, last_rows=place + 1)
    pages = opened()
    listed = pages.get("/reports").text
    assert "The last 3 answers" in listed and "The last 2 answers" not in listed
    older = re.search(r'id="older" href="([^"]+)"', listed)
    assert older is not None
    assert "The last 2 answers" in pages.get(older.group(1)).text
