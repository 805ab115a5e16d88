"""Debian's Chromium, driven by Playwright. A missing browser fails where CI is set."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.homes import Server, wait_for
from tests.journeys.conftest import server as server
from tests.webapp.conftest import plan_of, served

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
CHROMIUM = "/usr/bin/chromium"


#: A busy machine takes its time; what never comes still fails.
PATIENCE_MS = 100_000
#: Mistakes of the pages, not refusals of the service, which a browser's console tells as well.
_OURS = re.compile(r"Content Security Policy|\bhx-")
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = shutil.which("chromium") or CHROMIUM
    if not Path(found).exists():
        message = "NOT TESTED: chromium is not installed (apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def address(server: Server) -> Iterator[str]:
    """Where the pages of a running service are."""
    with served(plan_of(server)) as pages:
        yield str(pages.base_url).rstrip("/")


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """Opens a page in a fresh context (options: Playwright's). Errors in its scripts fail the test."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open_page(path: str = "/", **options: Any) -> Page:
        wanted: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB", **options}
        context = browser.new_context(base_url=address, **wanted)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if _OURS.search(line.text) else None)
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not errors


def widen(page: Page, width: int, height: int = 800) -> None:
    """Gives the page another width (pixels), and waits until it has it."""
    page.set_viewport_size({"width": width, "height": height})
    wait_for(lambda: bool(page.evaluate("innerWidth") == width), f"the page to be {width} wide")


def axe_violations(page: Page) -> list[str]:
    """What axe-core finds wrong with the page as it stands."""
    # Evaluated by the debugger, which the page's own policy does not bind.
    page.evaluate(AXE.read_text(encoding="utf-8") + "\n;0")
    found = page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
    return [f"{one['id']}: {one['help']} at {[node['target'] for node in one['nodes']][:5]}" for one in found]
