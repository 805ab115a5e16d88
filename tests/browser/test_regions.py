"""Times in a browser with scripts: in the reader's zone, as the reader's region writes them."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pages")]


@pytest.mark.parametrize(
    ("locale", "written"),
    [
        ("en-GB", r"^\d{1,2} [A-Z][a-z]+ \d{4}, \d\d:\d\d$"),
        ("en-US", r"^[A-Z][a-z]+ \d{1,2}, \d{4}, \d{1,2}:\d\d\s[AP]M$"),
        ("fr-FR", r"^\d{1,2} [a-zéû]+\.? \d{4}, \d\d:\d\d$"),
    ],
)
def test_a_time_is_written_as_the_browsers_region_writes_it(visit: Visit, locale: str, written: str) -> None:
    page = visit("/runs", locale=locale)
    expect(page.locator("time[data-at]").first).to_have_attribute("title", re.compile(written))
