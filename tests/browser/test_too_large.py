"""A file beyond the limit: a browser gets a page that says so, and not a broken connection."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import PATIENCE_MS
from tests.webapp.conftest import plan as plan
from tests.webapp.conftest import served
from webapp.pages.feedback import MOST_BYTES
from webapp.plan import Plan

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pages")]


@pytest.mark.parametrize("language", ["en-GB", "fr-FR"])
def test_a_file_beyond_the_limit_is_refused_on_a_page(browser: Browser, plan: Plan, language: str) -> None:
    with served(plan) as pages:
        page = browser.new_page(base_url=str(pages.base_url), locale=language)
        page.set_default_timeout(PATIENCE_MS)
        page.goto("/feedback")
        lines = b"prediction_id,target\n" + b"x,no\n" * (MOST_BYTES // 3)
        page.set_input_files("#truths", {"name": "t.csv", "mimeType": "text/csv", "buffer": lines})
        page.click("#send")
        title = {"en-GB": "That is too large", "fr-FR": "C’est trop grand"}[language]
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        expect(page.locator(".lead")).to_contain_text("This page takes 5")
        page.close()
