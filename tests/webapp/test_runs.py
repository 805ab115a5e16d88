"""Training runs as a person sees them: live, with verdicts, with what each waits for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from loop.clock import now_ms
from storage.automation import pause
from storage.database import Database
from storage.processes import beat
from storage.runs import beat_run, fail_run, finish_run, request_run, run, runs, start_run
from storage.verdicts import StoredVerdict, add_verdicts
from tests.webapp.conftest import Pages
from webapp.plan import Plan

SCORE = {"roc_auc": {"value": 0.7, "low": 0.6, "high": 0.8}}


def _asked(database: Database, plan: Plan, trigger: str = "feedback", reason: str = "a multiple of k") -> str:
    with database.writing() as connection:
        return request_run(connection, plan.use_case, trigger=trigger, reason=reason, at_ms=now_ms()).run_id


def _region(pages: Pages, path: str) -> tuple[int, str]:
    answer = pages.get(path, headers={"hx-request": "true", "hx-target": "standing"})
    return answer.status_code, answer.text


def test_train_now_asks_for_a_run_of_a_person(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    pages = opened()
    answer = pages.submit("/runs", as_of="2024-01-31", reason="<i>try</i>")
    assert answer.status_code == 303
    with database.reading() as connection:
        (asked,) = runs(connection, plan.use_case)
    assert answer.headers["location"] == f"/runs/{asked.run_id}"
    assert (asked.trigger, asked.as_of, asked.reason) == ("person", "2024-01-31", "<i>try</i>")
    assert "&lt;i&gt;try&lt;/i&gt;" in pages.get(f"/runs/{asked.run_id}").text


def test_one_kind_of_challenger_may_be_asked_for_and_is_asked_for_again(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    pages = opened()
    assert pages.submit("/runs", mode="fine_tuned").status_code == 303
    with database.writing() as connection:
        (asked,) = runs(connection, plan.use_case)
        fail_run(connection, asked.run_id, now_ms(), "no fine_tuned challenger: it cannot learn on")
    assert asked.mode == "fine_tuned"
    assert "fine-tuned: the champion, taught on" in pages.get(f"/runs/{asked.run_id}").text
    assert pages.submit(f"/runs/{asked.run_id}/retry").status_code == 303
    with database.reading() as connection:
        assert [one.mode for one in runs(connection, plan.use_case)] == ["fine_tuned"] * 2
    kept = pages.submit("/runs", mode="recent", as_of="2999-01-01").text
    assert '<option value="recent" selected>' in kept
    with database.reading() as connection:
        assert len(runs(connection, plan.use_case)) == 2


def test_a_run_shows_its_log_while_it_goes_on_and_afterwards(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    run_id = _asked(database, plan)
    told = {"stage": "judging", "log": [[1_000, "begun by trainer@h:1:1"], [3_500, "reading <rows>"]]}
    pages = opened()
    assert "log-title" not in _region(pages, f"/runs/{run_id}")[1]
    with database.writing() as connection:
        start_run(connection, run_id, 1_000, claimed_by="trainer@h:1:1")
        beat_run(connection, run_id, 3_000, json.dumps(told))
    going = _region(pages, f"/runs/{run_id}")[1]
    assert "reading &lt;rows&gt;" in going and "2.5\xa0s" in going
    with database.writing() as connection:
        fail_run(connection, run_id, 5_000, "the disk is full")
    ended = _region(pages, f"/runs/{run_id}")[1]
    assert "failed: the disk is full" in ended and "reading &lt;rows&gt;" in ended


def test_a_refused_day_is_said_beside_its_field_and_keeps_what_was_typed(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    answer = opened().submit("/runs", as_of="2999-01-01")
    assert answer.status_code == 422
    assert 'id="as-of-problem"' in answer.text and 'value="2999-01-01"' in answer.text
    with database.reading() as connection:
        assert not runs(connection, plan.use_case)


@pytest.mark.parametrize("mode", ["nonsense", "<best>", "Fresh", " "])
def test_a_kind_that_there_is_not_is_said_beside_its_field(
    mode: str, opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    answer = opened().submit("/runs", mode=mode, as_of="2024-01-31", reason="a <new> year")
    assert answer.status_code == 422
    said = re.search(
        r'<select id="mode"[^>]*aria-invalid="true".*?id="mode-problem"[^>]*>([^<]*)<', answer.text, re.S
    )
    assert said is not None and "is no kind of challenger; choose one of fresh, recent" in said.group(1)
    assert 'value="2024-01-31"' in answer.text and 'value="a &lt;new&gt; year"' in answer.text
    assert "as-of-problem" not in answer.text and "mode-hint mode-problem" in answer.text
    with database.reading() as connection:
        assert not runs(connection, plan.use_case)


def test_the_queue_says_what_each_run_waits_for(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    _asked(database, plan)
    pages = opened()
    assert "No trainer is there" in pages.get("/runs").text
    with database.writing() as connection:
        beat(connection, plan.use_case, "trainer", pid=1, host="h", started_at_ms=1, at_ms=now_ms())
        pause(connection, plan.use_case, actor="person", reason="holiday", at_ms=now_ms())
    text = pages.get("/runs").text
    assert "No trainer is there" not in text and "Automation is paused." in text
    assert "Nothing stands against it" not in text
    _asked(database, plan, "person")
    assert "Nothing stands against it" in pages.get("/runs").text


def test_a_run_is_watched_live_until_it_ends(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    run_id = _asked(database, plan)
    pages = opened()
    with database.writing() as connection:
        start_run(connection, run_id, now_ms(), claimed_by="trainer@h:1:1")
        progress = json.dumps({"stage": "fitting fresh", "done": 3, "total": 8})
        beat_run(connection, run_id, now_ms(), progress)
    text = pages.get(f"/runs/{run_id}").text
    assert "Fitting fresh" in text and 'value="3" max="8"' in text and "3 of 8 steps" in text
    again = re.search(rf'hx-get="(/runs/{run_id}\?was=[^"]+)"', text)
    assert again is not None
    assert _region(pages, again.group(1)) == (204, "")
    with database.writing() as connection:
        fail_run(connection, run_id, now_ms(), "a column <b>vanished</b>", seconds=1.5)
    status, ended = _region(pages, again.group(1))
    assert status == 200 and "a column &lt;b&gt;vanished&lt;/b&gt;" in ended
    assert "hx-trigger" not in ended and "Train again" in ended and "<html" not in ended


@pytest.mark.parametrize("page", ["/runs", "/runs/{}"])
def test_a_sign_of_life_is_no_change_to_who_reads_the_page(
    page: str, opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    running, waiting = _asked(database, plan, "person"), _asked(database, plan)
    with database.writing() as connection:
        start_run(connection, running, now_ms(), claimed_by="trainer@h:1:1")
    pages = opened()
    for path in {page.format(running), page.format(waiting)}:
        again = re.search(r'hx-get="([^"]+\?was=[^"]+)"', _region(pages, path)[1])
        assert again is not None and _region(pages, again.group(1)) == (204, "")
        with database.writing() as connection:
            beat_run(connection, running, now_ms() + 2_000)
        assert _region(pages, again.group(1)) == (204, "")


def test_a_run_that_ended_shows_every_verdict_with_its_numbers(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    run_id = _asked(database, plan)
    told = {
        "sentence": "PROVEN it.",
        "metric": "roc_auc",
        "notes": ["no weights"],
        "seconds": {"fitting": 2.5},
    }
    tag = f"{plan.use_case}:1"
    scores = json.dumps({"champion": SCORE, "challenger": SCORE})
    reason = "proven better: roc_auc +0.224"
    first = StoredVerdict(
        *(run_id, plan.use_case, tag, "fresh", tag, "promote", 0.224, 0.052, 0.395, 193, 2, 0.0125),
        *(None, reason, scores, "{}", now_ms()),
    )
    second = StoredVerdict(
        *(run_id, plan.use_case, tag, "recent", None, "more labels", None, None, None, 40, 2, 0.0125),
        *(1_234, "too few rows", "{}", "{}", now_ms()),
    )
    with database.writing() as connection:
        start_run(connection, run_id, now_ms())
        add_verdicts(connection, (first, second))
        finish_run(
            connection,
            run_id,
            now_ms(),
            verdict_json=json.dumps(told),
            scores_json=json.dumps(SCORE),
            rows_json='{"training": 4321}',
            seconds=3.0,
            bento=tag,
        )
    text = opened().get(f"/runs/{run_id}").text
    for said in (
        *("PROVEN it.", "0.224", "0.052 to 0.395, a 98.8% interval", "193 labelled rows", "number 2 at this"),
        *("about 1,234 more", "Too few rows.", "no weights", "4,321", "2.5\xa0s"),
    ):
        assert said in text, said


def test_a_retry_is_a_new_run_as_of_the_same_day(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    pages = opened()
    first = pages.submit("/runs", as_of="2024-01-31").headers["location"]
    assert pages.submit(f"{first}/retry").status_code == 409
    with database.writing() as connection:
        fail_run(connection, first.removeprefix("/runs/"), now_ms(), "no rows")
    again = pages.submit(f"{first}/retry").headers["location"]
    with database.reading() as connection:
        found = run(connection, again.removeprefix("/runs/"))
    assert again != first and found is not None and found.as_of == "2024-01-31"


def test_older_runs_are_a_link_away(opened: Callable[..., Pages], plan: Plan, database: Database) -> None:
    with database.writing() as connection:
        for place in range(52):
            request_run(connection, plan.use_case, trigger="drift", reason="r", at_ms=place * 1000)
            if place == 0:
                oldest = runs(connection, plan.use_case)[0].run_id
    pages = opened()
    asked = {"hx-request": "true", "hx-target": "standing"}
    listed = pages.get("/runs", headers=asked).text.partition("All runs")[2]
    assert oldest not in listed and 'href="/runs?show=250"' in listed
    assert oldest in pages.get("/runs?show=250", headers=asked).text.partition("All runs")[2]


def test_an_unknown_run_or_one_of_another_use_case_is_not_found(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    with database.writing() as connection:
        other = request_run(connection, "other", trigger="person", reason="r", at_ms=now_ms()).run_id
    pages = opened()
    assert pages.get("/runs/nothing").status_code == 404
    assert pages.get(f"/runs/{other}").status_code == 404


def test_training_takes_a_sign_in_where_a_token_is_set(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    pages = opened(api_token="secret-token")
    answer = pages.post("/runs", data={"csrf": pages.token("/runs")})
    assert answer.headers["location"].startswith("/sign-in")
    with database.reading() as connection:
        assert not runs(connection, plan.use_case)
