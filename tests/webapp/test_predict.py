"""Predict, with a real service: ask, see why, say what it was; what was typed is never lost."""

from __future__ import annotations

import re
import sqlite3
from typing import Any

import pytest

from tests.homes import Server, free_port, wait_for
from tests.webapp.conftest import Pages, plan_of, served
from webapp.forms import PREFIX

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pages")]


def _typed(row: dict[str, Any], **other: str) -> dict[str, str]:
    return {PREFIX + name: str(value) for name, value in row.items() if value is not None} | {
        PREFIX + name: value for name, value in other.items()
    }


def _logged(server: Server) -> int:
    with sqlite3.connect(server.home.database_url.removeprefix("sqlite:///")) as connection:
        return int(connection.execute("SELECT count(*) FROM predictions").fetchone()[0])


def test_a_row_is_answered_explained_logged_and_takes_feedback(
    pages: Pages, server: Server, row: dict[str, Any]
) -> None:
    before = _logged(server)
    asked = pages.submit("/predict", **_typed(row, person="17"))
    assert asked.status_code == 303
    path = asked.headers["location"]
    shown = pages.get(path)
    prediction_id = path.rpartition("/")[2]
    for said in (prediction_id, "What was it really?", "Why", "Probability of each class", "<dt>Took<"):
        assert said in shown.text, said
    wait_for(lambda: _logged(server) == before + 1, "the log")
    told = pages.submit(f"{path}/feedback", target="yes")
    assert told.status_code == 303 and told.headers["location"] == path
    assert "<strong>yes</strong>" in pages.get(path).text
    pages.submit(f"{path}/feedback", target="no")
    assert "<strong>no</strong>" in pages.get(path).text


def test_an_answer_is_found_again_by_pages_that_were_started_since(
    pages: Pages, server: Server, row: dict[str, Any]
) -> None:
    before = _logged(server)
    path = pages.submit("/predict", **_typed(row)).headers["location"]
    wait_for(lambda: _logged(server) == before + 1, "the log")
    with served(plan_of(server)) as others:
        shown = others.get(path)
    assert (
        shown.status_code == 200 and path.rpartition("/")[2] in shown.text and "<dt>Took<" not in shown.text
    )


def test_examples_and_trials_are_never_logged(pages: Pages, server: Server, row: dict[str, Any]) -> None:
    before = _logged(server)
    filled = pages.get("/predict?example=3").text
    values = dict(
        re.findall(r'<input id="[^"]+" name="(row\.[^"]+)" type="number"[^>]* value="([^"]*)"', filled)
    )
    chosen = re.findall(r'<select id="[^"]+" name="(row\.[^"]+)".*?</select>', filled, re.DOTALL)
    for name in chosen:
        part = filled.split(f'name="{name}"')[1].split("</select>")[0]
        found = re.search(r'<option value="([^"]*)" selected', part)
        values[name] = found.group(1) if found else ""
    example = pages.submit("/predict", example="3", **values)
    trial = pages.submit("/predict", log="no", **_typed(row))
    for answer in (example, trial):
        assert answer.status_code == 200 and "Only tried out" in answer.text
        assert "What was it really?" not in answer.text
    changed = pages.submit("/predict", example="3", **{**values, PREFIX + "age": "33"})
    assert changed.status_code == 303
    wait_for(lambda: _logged(server) == before + 1, "the changed row alone in the log")


def test_each_refused_field_says_why_beside_it_and_keeps_what_was_typed(
    pages: Pages, row: dict[str, Any]
) -> None:
    typed = _typed(row, age="old", income="<script>alert(1)</script>")
    del typed[PREFIX + "sex"]
    refused = pages.submit("/predict", **typed)
    assert refused.status_code == 422
    assert "3 fields need another look" in refused.text
    assert 'value="old"' in refused.text and "“old” is not a number." in refused.text
    assert "<script>alert" not in refused.text and "&lt;script&gt;" in refused.text
    fields = re.findall(r'aria-describedby="([^"]+)" aria-invalid="true"', refused.text)
    assert len(fields) == 3
    for described in fields:
        for name in described.split():
            assert f'id="{name}"' in refused.text
    french = pages.post("/predict", data={"csrf": pages.token(), **typed}, headers={"accept-language": "fr"})
    assert "« old » n’est pas un nombre." in french.text and "3 champs sont à revoir" in french.text


def test_a_value_outside_what_was_seen_is_answered_with_a_warning(pages: Pages, row: dict[str, Any]) -> None:
    path = pages.submit("/predict", **_typed(row, income="900000")).headers["location"]
    assert "900,000 lies outside what was seen in training" in pages.get(path).text


def test_a_decimal_comma_is_a_decimal_point(pages: Pages, row: dict[str, Any]) -> None:
    path = pages.submit("/predict", **_typed(row, age="33,5")).headers["location"]
    assert 'value="33.5"' in pages.get(path).text


def test_a_class_that_does_not_exist_is_refused_in_a_sentence(pages: Pages, row: dict[str, Any]) -> None:
    path = pages.submit("/predict", **_typed(row)).headers["location"]
    refused = pages.submit(f"{path}/feedback", target="perhaps")
    assert refused.status_code == 422 and "is no class; the classes are no, yes" in refused.text


def test_a_refusal_inside_a_page_is_put_before_what_is_there(pages: Pages, row: dict[str, Any]) -> None:
    path = pages.submit("/predict", **_typed(row)).headers["location"]
    refused = pages.post(
        f"{path}/feedback",
        data={"csrf": pages.token(), "target": "perhaps"},
        headers={"hx-request": "true", "hx-target": "prediction"},
    )
    assert refused.headers["hx-reswap"] == "afterbegin"
    assert "<html" not in refused.text and 'role="alert"' in refused.text


def test_an_invented_prediction_is_nowhere(pages: Pages) -> None:
    assert pages.get("/predictions/invented").status_code == 404
    assert pages.submit("/predictions/invented/feedback", target="yes").status_code == 404


def test_what_was_typed_outlives_a_service_that_is_down(server: Server, row: dict[str, Any]) -> None:
    with served(plan_of(server, api_url=f"http://127.0.0.1:{free_port()}")) as pages:
        assert "The service does not answer." in pages.get("/predict").text
        down = pages.submit("/predict", **_typed(row, age="33.5"))
        assert down.status_code == 503
        assert 'value="33.5"' in down.text and "What you typed is still here" in down.text


def test_the_pages_send_the_services_token(server: Server, row: dict[str, Any]) -> None:
    with served(plan_of(server, api_token="a token")) as pages:
        pages.submit("/sign-in", token="a token")
        # This service asks for none and does not mind one.
        assert pages.submit("/predict", **_typed(row)).status_code == 303


def test_home_measures_the_service(pages: Pages, row: dict[str, Any]) -> None:
    shown = ""

    def measured() -> bool:
        nonlocal shown
        # What was asked before the first reading is no part of what two readings tell.
        pages.submit("/predict", **_typed(row))
        shown = pages.get("/").text
        return "in the middle, 95% within" in shown

    wait_for(measured, "two readings with a prediction between them")
    assert "requests a minute" in shown
    wait_for(lambda: "supervisor is there" in pages.get("/").text, "the supervisor to say so")
