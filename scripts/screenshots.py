"""Pictures of every page: `python scripts/screenshots.py ADDRESS FOLDER`, beside a running `rebento up`.

Each at 390 and 1,280 pixels wide, light and dark. It asks for nothing that is logged.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

WIDTHS = (390, 1280)
SCHEMES = ("light", "dark")
PAGES = {"home": "/", "predict": "/predict", "settings": "/settings", "patterns": "/patterns"}


def answered(page: Page) -> None:
    """The page of an answer: that to a real example, which is not logged."""
    page.goto("/predict?example=2")
    page.click("#predict")
    page.wait_for_selector(".answer")
    page.evaluate("scrollTo(0, 0)")


def main(address: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        for width in WIDTHS:
            for scheme in SCHEMES:
                context = browser.new_context(
                    base_url=address,
                    viewport={"width": width, "height": 900},
                    color_scheme="dark" if scheme == "dark" else "light",
                    locale="en-GB",
                )
                page = context.new_page()
                for name, path in PAGES.items():
                    page.goto(path)
                    page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
                answered(page)
                page.screenshot(path=folder / f"answer-{width}-{scheme}.png", full_page=True)
                context.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
