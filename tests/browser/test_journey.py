"""The whole loop: predict, tell, retrain, watch, a new Bento, and back; with scripts and without."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.homes import Home, Server, ask, free_port, up, wait_for
from tests.small_use_case import write_small_use_case

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

#: What a busy machine may take for a training, or for workers to start.
PATIENCE_MS = 180_000
K = 800
LIMIT = 8_000
#: What the champion learned is the contrary of what is true now: a challenger is soon proven better.
LOADER = f"""\
from use_cases.doctor_visits.loader import person_years

def rows(data):
    found = person_years(data).iloc[:1000].copy()
    found["doctor_visit"] = ["no" if income > {LIMIT} else "yes" for income in found["income"]]
    return found
"""


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """An installation whose champion knows a world that is gone."""
    home = Home(tmp_path_factory.mktemp("turned"))
    policy = {"feedbacks_per_training": K, "cooldown_minutes": 0, "probation_seconds": 1, "recent_rows": K}
    # Answers that have become worse would ask for a run of their own, some seconds before the last label.
    write_small_use_case(home.folder / "use_cases", loader=LOADER, quality_margin=1, **policy)
    home.rebento("train")
    return home


@pytest.fixture
def running(turned: Home, tmp_path: Path) -> Iterator[Server]:
    with up(turned.copy(tmp_path, REBENTO_WEB_PORT=str(free_port()))) as server:
        yield server


@pytest.fixture
def asked_before(running: Server) -> list[tuple[str, str]]:
    """What callers asked the service meanwhile: prediction id and truth of each, one label short of k."""
    from use_cases.doctor_visits.loader import person_years

    frame = person_years(Path()).dropna().iloc[1000 : 1000 + K - 1].drop(columns=["doctor_visit"])
    rows = json.loads(frame.to_json(orient="records"))
    answers = running.predict(*rows)
    return [
        (answer["prediction_id"], _truth(row["income"])) for answer, row in zip(answers, rows, strict=True)
    ]


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_from_a_prediction_to_a_new_bento_and_back_by_the_browser_alone(
    browser: Browser, running: Server, asked_before: list[tuple[str, str]], scripts: bool
) -> None:
    address = f"http://127.0.0.1:{running.home.extra['REBENTO_WEB_PORT']}"
    wait_for(lambda: _answers(address), "the pages to answer")
    context = browser.new_context(base_url=address, locale="en-GB", java_script_enabled=scripts)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    first = _champion(page)

    page.goto("/feedback")
    lines = "".join(f"{prediction_id},{truth}\n" for prediction_id, truth in asked_before)
    file = {"name": "truths.csv", "mimeType": "text/csv", "buffer": f"prediction_id,target\n{lines}".encode()}
    page.set_input_files("#truths", file)  # type: ignore[arg-type]
    page.click("#send")
    expect(page.get_by_text(f"{K - 1} true answers were taken.")).to_be_visible(timeout=PATIENCE_MS)

    page.goto("/predict")
    page.click("#fill-example")
    expect(page.locator("#fill-example")).to_have_text(re.compile("Another"), timeout=PATIENCE_MS)
    page.get_by_label("Income", exact=True).fill("9000.5")  # the example is no example any more: it is logged
    page.click("#predict")
    expect(page.get_by_role("heading", name="What was it really?")).to_be_visible(timeout=PATIENCE_MS)
    page.locator(".classes").get_by_role("button", name="yes", exact=True).click()
    expect(page.get_by_text("That was the label the next training waited for")).to_be_visible(
        timeout=PATIENCE_MS
    )

    _watch_the_newest_run(page, scripts)
    expect(page.locator("#standing .figure").first).to_have_text("built")
    expect(page.locator(".judged").first).to_contain_text("promote")
    built = page.locator("#bento").inner_text()

    page.goto("/")
    _until(page, scripts, lambda: _shown(page) == built, "the new Bento on the home page")
    assert built != first

    page.goto("/versions")
    _until(
        page, scripts, lambda: page.locator("#standing").inner_text().count("done") > 0, "the probation's end"
    )
    page.click("#rollback")
    page.get_by_label("Why?").fill("a second thought")
    page.get_by_role("button", name="Roll back").click()
    page.wait_for_url("**/versions")
    page.goto("/")
    _until(page, scripts, lambda: _shown(page) == first, "the first Bento again")
    expect(page.locator("#standing")).to_contain_text("a second thought")
    expect(page.locator("#standing")).to_contain_text("promotes nothing")
    context.close()


def _answers(address: str) -> bool:
    try:
        return ask(address, "/").status == 200
    except OSError:
        return False


def _truth(income: float) -> str:
    return "yes" if income > LIMIT else "no"


def _watch_the_newest_run(page: Page, scripts: bool) -> None:
    page.goto("/runs")
    page.locator("#list tbody a").first.click()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]+$"))
    if scripts:
        page.evaluate("window.stayed = true")
    _until(page, scripts, lambda: page.locator("#retry").count() == 1, "the run to end")
    if scripts:
        assert page.evaluate("window.stayed") is True


def _champion(page: Page) -> str:
    page.goto("/")
    return _shown(page)


def _shown(page: Page) -> str:
    return str(page.locator(".tiles .figure code").first.inner_text())


def _until(page: Page, scripts: bool, holds: Callable[[], Any], what: str) -> None:
    """Waits for what the page shows: it draws itself anew, and without scripts the reader loads it again."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for {what}:\n{page.locator('main').inner_text()}"
        if scripts:
            page.wait_for_timeout(250)
        else:
            page.wait_for_timeout(1_000)
            page.reload()
