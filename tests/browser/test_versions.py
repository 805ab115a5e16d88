"""A person steers what is in Production, with and without scripts."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit, axe_violations

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pages")]


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_person_pauses_and_resumes_after_reading_what_it_does(visit: Visit, scripts: bool) -> None:
    page = visit("/versions", java_script_enabled=scripts)
    page.get_by_role("link", name="Pause…").click()
    page.get_by_label("Why?").fill("a holiday")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#standing")).to_contain_text("a holiday")
    page.get_by_role("link", name="Resume…").click()
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#standing .figure").first).to_have_text("running")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_no_page_is_wider_than_a_phone(visit: Visit, scheme: str) -> None:
    page = visit("/versions", color_scheme=scheme, viewport={"width": 390, "height": 800})
    one = str(page.locator("#v1").get_attribute("href"))
    tag = one.removeprefix("/versions/")
    for path in ("/versions", one, f"/versions/compare?left={tag}&right={tag}", "/versions/pause"):
        page.goto(path)
        assert not axe_violations(page), path
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
