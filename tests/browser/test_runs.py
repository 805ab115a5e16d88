"""A person asks for a training and watches it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit, axe_violations

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pages")]


@pytest.mark.timeout(600)
def test_a_training_is_asked_for_and_watched_to_its_end_without_a_reload(visit: Visit) -> None:
    page = visit("/runs")
    page.get_by_label("Why?").fill("a look")
    page.click("#train")
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]+$"))
    page.evaluate("window.stayed = true")
    assert not axe_violations(page)
    expect(page.locator("#retry")).to_be_visible(timeout=300_000)
    expect(page.locator("#standing .figure").first).to_have_text("built")
    assert page.evaluate("window.stayed") is True
    assert not axe_violations(page)
    page.click("#bento")
    expect(page.get_by_role("heading", name="Model card")).to_be_visible()


def test_a_refused_day_is_named_beside_its_field(visit: Visit) -> None:
    page = visit("/runs", java_script_enabled=False)
    page.get_by_label("As of").fill("2999-01-01")
    page.click("#train")
    expect(page.locator("#as-of-problem")).to_contain_text("has not come yet")
    expect(page.get_by_label("As of")).to_have_value("2999-01-01")
    assert page.get_by_label("As of").get_attribute("aria-invalid") == "true"
