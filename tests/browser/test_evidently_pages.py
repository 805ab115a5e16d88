"""Evidently's pages as a person sees them: the numbers are there, and nothing is fetched from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE_MS, widen
from tests.homes import free_port, wait_for
from tests.reporting.sides import contract, rows, sides, snapshot
from tests.reporting.test_ui import pages

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

SCRIPT = "</script><script>alert('a category')</script><img src=http://192.0.2.1/x.png>"


def watched(page: Page) -> tuple[set[str], list[str]]:
    """Hosts that the page asks for anything, and what its scripts did wrong."""
    hosts: set[str] = set()
    errors: list[str] = []

    def ask(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob"):
            hosts.add(parts.netloc)

    page.on("request", lambda request: ask(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: (errors.append(dialog.message), dialog.dismiss()))
    return hosts, errors


def test_a_report_opened_from_disk_fetches_nothing_and_runs_no_category(
    browser: Browser, tmp_path: Path
) -> None:
    from reporting.evidently_report import html_page

    frame = rows(120)
    frame["town"] = [SCRIPT, "Nice"] * 60
    both = sides(frame, contract(("no", SCRIPT)))
    sentence = "INVESTIGATE drift_share=0.33 >= 0.30 (target_drift=0.0): look at _town_"
    shown = snapshot(both, title=f"towns {SCRIPT}", sentence=sentence)
    (tmp_path / "report.html").write_bytes(html_page(shown, "one"))
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    hosts, errors = watched(page)
    page.goto((tmp_path / "report.html").as_uri())
    expect(page.get_by_text(sentence)).to_be_visible()
    expect(page.get_by_text("Confusion Matrix").first).to_be_visible()
    widen(page, 700)

    def is_whole() -> bool:
        box = page.get_by_text("Share of Drifted Columns").first.bounding_box()
        return box is not None and box["x"] + box["width"] <= 700

    wait_for(is_whole, "the share not to be cut off at the right")
    expect(page.get_by_text("Jensen-Shannon distance, base 2, of all rows").first).to_be_visible()
    page.get_by_text("Tests", exact=True).click()
    expect(page.get_by_text("Value Drift for column town")).to_be_visible()
    assert hosts == {""}
    assert errors == []
    page.close()


def test_the_dashboard_shows_the_numbers_and_asks_no_other_machine(browser: Browser, tmp_path: Path) -> None:
    from reporting.workspace import keep_run

    for turn in range(3):
        report = snapshot(
            sides(rows(200, shift=10.0 - 5.0 * turn)), at_ms=1_700_000_000_000 + turn * 86_400_000
        )
        keep_run(tmp_path, "small", report)
    port = free_port()
    with pages(tmp_path, port):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        hosts, errors = watched(page)
        page.goto(f"http://localhost:{port}/", timeout=240_000)
        page.get_by_text("small", exact=True).first.click()
        share = page.get_by_text("Share of inputs as before, newest report").locator("xpath=ancestor::*[3]")
        expect(share).to_contain_text(re.compile(r"report\s*1\s*steady share"))  # nothing has drifted
        for panel in ("Quality: reference, estimated, realised", "Balanced accuracy", "Share with a label"):
            expect(page.get_by_text(panel, exact=True).first).to_be_visible()
        expect(page.get_by_text("estimated", exact=True)).to_be_visible()
        page.get_by_text("Reports", exact=True).first.click()
        page.get_by_text("View", exact=True).first.click()
        expect(page.get_by_text("Share of Drifted Columns").first).to_be_visible()
        page.close()
    assert hosts == {f"localhost:{port}"}
    assert errors == []
