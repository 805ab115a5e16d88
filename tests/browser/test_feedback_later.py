"""Feedback later in a browser: by keyboard alone, and without scripts."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit, axe_violations, widen
from tests.homes import Server, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pages")]


def _wait_until_listed(page: Page, *answers: dict[str, Any]) -> None:
    """Until the page of open predictions, loaded again, has all of these: answers come before their log."""

    def are_listed() -> bool:
        page.reload()
        return all(page.get_by_role("link", name=one["prediction_id"]).count() for one in answers)

    wait_for(are_listed, "the log")


def test_open_predictions_are_told_by_digits(visit: Visit, server: Server, row: dict[str, Any]) -> None:
    answers = server.predict(*({**row, "age": age} for age in (20.5, 30.5, 40.5)))
    page = visit("/feedback")
    _wait_until_listed(page, *answers)
    page.get_by_role("link", name="Answer one after another").click()
    page.wait_for_url("**/feedback/next")  # with its scripts: they listen to the keys
    first = page.locator("#open [name=prediction_id]").get_attribute("value")
    assert not axe_violations(page)
    page.keyboard.press("s")
    expect(page.locator("#open [name=prediction_id]")).not_to_have_value(first or "")
    second = page.locator("#open [name=prediction_id]").get_attribute("value")
    page.keyboard.press("1")
    expect(page.locator("#open .notice")).to_have_text("Taken: no. Correct it")
    expect(page.locator("#open [name=prediction_id]")).not_to_have_value(second or "")
    expect(page.locator("#asked-title")).to_be_focused()
    page.keyboard.press("2")
    expect(page.get_by_role("heading", name="That was the last one")).to_be_visible()
    page.get_by_role("link", name="Begin again").click()
    expect(page.locator("#open [name=prediction_id]")).to_have_value(first or "")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_works_without_scripts_and_axe_finds_nothing(
    visit: Visit, server: Server, row: dict[str, Any], scheme: str
) -> None:
    (told,) = server.predict({**row, "person": "someone", "age": 50.5})
    page = visit("/feedback", java_script_enabled=False)
    _wait_until_listed(page, told)
    page.get_by_label("Prediction id or entity id").fill("someone")
    page.get_by_role("button", name="Find", exact=True).click()
    page.get_by_role("link", name=told["prediction_id"]).last.click()
    expect(page.get_by_role("heading", name="What was it really?")).to_be_visible()
    page.goto("/feedback/next")
    page.locator(".classes button").first.click()
    expect(page.locator("#open .notice")).to_contain_text("Taken: ")
    page.goto("/feedback")
    page.set_input_files(
        "#truths", {"name": "t.csv", "mimeType": "text/csv", "buffer": b"prediction_id,target\nx,no\n"}
    )
    page.click("#send")
    expect(page.get_by_text("One line was refused.")).to_be_visible()
    other = visit("/feedback?q=someone", color_scheme=scheme)
    assert not axe_violations(other)
    for width in (320, 1280):
        widen(other, width)
        assert other.evaluate("document.documentElement.scrollWidth") <= width
