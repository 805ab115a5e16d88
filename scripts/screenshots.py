"""Pictures of every page: `python scripts/screenshots.py FOLDER`, of an installation with weeks of use in it.

Each at 390 and 1,280 pixels wide, Home and Predict in the dark too; the top of long pages only. And
Evidently's dashboard, once.
"""

from __future__ import annotations

import base64
import csv
import io
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.history import Amounts  # noqa: E402  (run as a script)
from benchmarks.pages import BIN, environment_of, paths, seeded_pages  # noqa: E402
from scripts.evidently_picture import evidently_pages, report_each_week, show_dashboard  # noqa: E402
from scripts.indexed_png import indexed_png  # noqa: E402

AMOUNTS = Amounts(predictions=6_000, feedbacks=4_000, runs=14, versions=10, decisions=20, reports=12, days=30)
#: Width -> most pixels of a picture's height.
HEIGHTS = {1280: 1_400, 390: 1_300}
USE_CASE = "doctor_visits"
WEEKS = 4
"""As many as fit into the days of the past."""
DASHBOARD_HEIGHT = 1_420
IN_THE_DARK = ("home", "predict")
_PIXELS = """async (encoded) => {
  const picture = new Image();
  picture.src = "data:image/png;base64," + encoded;
  await picture.decode();
  const canvas = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
  canvas.drawImage(picture, 0, 0);
  const bytes = new Uint8Array(canvas.getImageData(0, 0, picture.width, picture.height).data.buffer);
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768)
    text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return [picture.width, picture.height, btoa(text)];
}"""


def answered(page: Page) -> None:
    """An answer to a real example, which is not logged."""
    page.goto("/predict?example=2")
    page.click("#predict")
    page.wait_for_selector(".answer")


def golden_rows(home: Path) -> list[dict[str, Any]]:
    golden = next((home / "bentoml" / "models").glob("*/*/golden.json"))
    return list(json.loads(golden.read_text(encoding="utf-8"))["rows"])


def ask(url: str, rows: list[dict[str, Any]]) -> None:
    """Callers, so that there is something to see of latency."""
    with httpx.Client(trust_env=False) as caller:
        for row in itertools.cycle(rows):
            try:
                caller.post(url, json={"rows": [row]})
            except httpx.TransportError:  # the pictures are taken, and the service is gone
                return
            time.sleep(0.3)


def looked_at(home: Path) -> Callable[[Page], None]:
    """An uploaded file, looked at before anything runs; one of its cells is wrong."""
    rows = golden_rows(home)
    rows[1]["age"] = "old"
    written = io.StringIO()
    writer = csv.DictWriter(written, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)

    def show(page: Page) -> None:
        page.goto("/files")
        file = {"name": "visitors.csv", "mimeType": "text/csv", "buffer": written.getvalue().encode()}
        page.set_input_files("#file", file)  # type: ignore[arg-type]
        page.click("#upload")
        expect(page.locator("#start")).to_be_visible()

    return show


def shown_by_evidently(report: str) -> Callable[[Page], None]:
    def show(page: Page) -> None:
        page.goto(f"{report}?show=evidently")
        frame = page.frame_locator("iframe.evidently")
        expect(frame.get_by_text("Drift").first).to_be_visible(timeout=60_000)
        page.locator("#evidently").scroll_into_view_if_needed()

    return show


def visits(asked: list[str], home: Path) -> dict[str, str | Callable[[Page], None]]:
    """Name -> the page's path, or how it is reached."""

    def like(start: str) -> str:
        return next(path for path in asked if path.startswith(start))

    report = like("/reports/")
    return {
        **{"predict": "/predict?example=2", "answer": answered, "files": looked_at(home)},
        **{"feedback": "/feedback", "feedback-next": "/feedback/next", "versions": "/versions"},
        **{"version": like("/versions/doctor"), "comparison": like("/versions/compare")},
        **{"rollback": "/versions/rollback", "runs": "/runs", "run": like("/runs/"), "reports": "/reports"},
        **{"report": report, "evidently": shown_by_evidently(report), "settings": "/settings"},
        **{"patterns": "/patterns", "home": "/"},  # Home last: by then there is traffic to see
    }


def take(page: Page, name: str, visit: str | Callable[[Page], None], width: int, path: Path) -> None:
    if isinstance(visit, str):
        page.goto(visit)
    else:
        visit(page)
    page.wait_for_load_state("networkidle")
    top = 0
    if name == "answer" and width < 1_000:  # it stands below the form there
        top = page.evaluate("document.querySelector('.answer').getBoundingClientRect().top + scrollY - 16")
    if name == "evidently":  # what a frame shows is drawn only where it is in sight
        page.wait_for_timeout(1_500)
        taken = page.screenshot()
    else:
        page.evaluate("scrollTo(0, 0)")
        height = min(page.evaluate("document.documentElement.scrollHeight") - top, HEIGHTS[width])
        taken = page.screenshot(full_page=True, clip={"x": 0, "y": top, "width": width, "height": height})
    write(page, taken, path)


def write(page: Page, taken: bytes, path: Path) -> None:
    """Writes a picture with as few colours as it needs."""
    blank = page.context.new_page()
    wide, high, pixels = blank.evaluate(_PIXELS, base64.b64encode(taken).decode())
    blank.close()
    drawn = np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(high, wide, 4)[:, :, :3]
    path.write_bytes(indexed_png(drawn))


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="rebento-pictures-") as made,
        seeded_pages(Path(made), AMOUNTS) as (address, api, home),
        sync_playwright() as playwright,
    ):
        environment = environment_of(home)
        subprocess.run([BIN / "rebento", "report"], env={**os.environ, **environment}, check=True)
        rows = golden_rows(home)
        callers = threading.Thread(target=ask, args=(f"{api}/predict", rows), daemon=True)
        callers.start()
        wanted = visits(paths(environment["REBENTO_DATABASE_URL"]), home)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        for width in HEIGHTS:
            for scheme in ("light", "dark"):
                context = browser.new_context(
                    base_url=address,
                    viewport={"width": width, "height": 900},
                    color_scheme="dark" if scheme == "dark" else "light",
                    locale="en-GB",
                )
                page = context.new_page()
                for name, visit in wanted.items():
                    if scheme == "light" or name in IN_THE_DARK:
                        ending = "-dark" if scheme == "dark" else ""
                        take(page, name, visit, width, folder / f"{name}-{width}{ending}.png")
                context.close()
        # Last: what is made for it would be seen on the pages.
        report_each_week(
            home, USE_CASE, home.parent / "use_cases", environment["REBENTO_DATABASE_URL"], WEEKS
        )
        with evidently_pages(Path(sys.executable), home, Path(made) / "evidently.log") as evidently:
            context = browser.new_context(
                viewport={"width": 1280, "height": DASHBOARD_HEIGHT}, locale="en-GB"
            )
            page = context.new_page()
            show_dashboard(page, evidently, USE_CASE)
            write(page, page.screenshot(), folder / "evidently_dashboard.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
