"""Reports in a browser: asked for, watched, read; and Evidently's page, which may only draw itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.past_reports import report_numbers
from loop.clock import now_ms
from storage.database import Database
from storage.reports import claim_report, finish_report, reports
from tests.browser.conftest import PATIENCE_MS, axe_violations, widen
from tests.webapp.conftest import database as database
from tests.webapp.conftest import plan as plan
from tests.webapp.conftest import served
from use_cases.contract import Column, Contract
from webapp.plan import Plan

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pages")]

CONTRACT = Contract(
    use_case="doctor_visits",
    columns=tuple(
        Column(name=name, kind="number", nullable=False, minimum=0, maximum=9, typical=5)
        for name in ("age", "the_most_unreasonably_long_column_name_that_anybody_has_exported", "income")
    ),
    target="doctor_visit",
    classes=("no", "yes"),
    positive=("yes",),
)
#: Draws itself as Evidently's pages do, and tries what a page of strangers would.
DRAWN = """<!doctype html><style>p { color: rgb(1, 2, 3) }</style><p id="drawn">nothing</p>
<script>
const tried = [];
const attempt = (name, what) => { try { what(); tried.push(name) } catch {} };
attempt("cookie", () => { if (document.cookie === "") throw 0 });
attempt("parent", () => parent.document.title);
attempt("storage", () => localStorage.getItem("a"));
fetch("/settings").then(() => tried.push("fetch"), () => 0)
  .then(() => { document.getElementById("drawn").textContent = "drawn: " + tried.join() });
</script><img src="/service">"""


@pytest.fixture
def open_page(browser: Browser, plan: Plan, database: Database) -> Iterator[Callable[..., Page]]:
    with served(plan) as pages:
        contexts = []

        def show(path: str, **options: Any) -> Page:
            context = browser.new_context(base_url=str(pages.base_url), **{"locale": "en-GB", **options})
            context.set_default_timeout(PATIENCE_MS)
            contexts.append(context)
            page = context.new_page()
            page.goto(path)
            return page

        yield show
        for context in contexts:
            context.close()


def _finish(database: Database, plan: Plan) -> None:
    """Does what the reporter would."""
    folder = plan.home / "reports" / plan.use_case
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "drift.html").write_text(DRAWN)
    (folder / "drift.json").write_text("{}")
    decision, sentence, numbers = report_numbers(CONTRACT, 0, 3)
    with database.writing() as connection:
        claimed = claim_report(connection, plan.use_case, now_ms(), "reporter@h:1:1")
        assert claimed is not None
        finish_report(
            connection,
            claimed.report_id,
            now_ms(),
            decision=decision,  # type: ignore[typeddict-item]
            sentence=sentence,
            numbers_json=json.dumps(numbers),
            html=f"reports/{plan.use_case}/drift.html",
            json=f"reports/{plan.use_case}/drift.json",
        )


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_report_is_asked_for_watched_and_read(
    open_page: Callable[..., Page], database: Database, plan: Plan, scripts: bool
) -> None:
    page = open_page("/reports", java_script_enabled=scripts)
    page.get_by_label("The last days").check()
    page.get_by_label("How many days").fill("3")
    page.click("#report")
    page.wait_for_url(re.compile(r"/reports/[0-9a-f-]+$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Report: the last 3 days")
    if scripts:
        page.evaluate("window.stayed = true")
    _finish(database, plan)
    if not scripts:
        page.get_by_role("link", name="Load the page again").click()
    expect(page.locator("#state")).to_have_text("investigate")
    if scripts:
        assert page.evaluate("window.stayed") is True
    reached: list[str] = []
    page.on("requestfinished", lambda request: reached.append(request.url))
    page.click("#show-evidently")
    drawn = page.frame_locator("iframe.evidently").locator("#drawn")
    expect(drawn).to_have_css("color", "rgb(1, 2, 3)")
    # Without scripts in the browser the frame has none either.
    expect(drawn).to_have_text("drawn:" if scripts else "nothing")
    assert not [url for url in reached if url.endswith(("/settings", "/service"))]
    with page.expect_download() as download:
        page.click("#get-json")
    assert download.value.suggested_filename == "drift.json"


def test_a_region_that_could_not_be_drawn_anew_says_so_once_and_goes_on(
    open_page: Callable[..., Page], database: Database, plan: Plan
) -> None:
    page = open_page("/reports")
    page.click("#report")
    page.wait_for_url(re.compile(r"/reports/[0-9a-f-]+$"))
    with database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE reports RENAME TO reports_elsewhere")
    for _ in range(3):
        with page.expect_response(lambda answer: answer.status >= 500):
            pass
    notice = page.locator("#standing > [role=alert]")
    expect(notice).to_have_count(1)
    with database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE reports_elsewhere RENAME TO reports")
    expect(notice).to_have_count(0)
    _finish(database, plan)
    expect(page.locator("#state")).to_have_text("investigate")


def test_a_refused_window_is_named_beside_its_field_and_focused(
    open_page: Callable[..., Page], database: Database, plan: Plan
) -> None:
    page = open_page("/reports")
    page.get_by_label("Between two days").check()
    page.click("#report")
    expect(page.locator("#since-problem")).to_be_visible()
    expect(page.locator("#since")).to_be_focused()
    with database.reading() as connection:
        assert not reports(connection, plan.use_case)


def test_a_keyboard_is_enough(open_page: Callable[..., Page], database: Database, plan: Plan) -> None:
    page = open_page("/reports")
    page.locator("#window-rows").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#window-days")).to_be_checked()
    page.locator("#last-days").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/reports/[0-9a-f-]+$"))
    _finish(database, plan)
    expect(page.locator("#show-evidently")).to_be_visible()
    page.locator("#show-evidently").focus()
    page.keyboard.press("Enter")
    expect(page.locator("iframe.evidently")).to_be_visible()


#: Captions of tables that are moved under a narrow screen, of which a part is out of sight.
CUT_CAPTIONS = """() => [...document.querySelectorAll(".scroll caption")]
  .filter(caption => caption.offsetWidth > caption.closest(".scroll").clientWidth)
  .map(caption => caption.textContent)"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_no_page_is_wider_than_its_screen(
    open_page: Callable[..., Page], database: Database, plan: Plan, scheme: str
) -> None:
    page = open_page("/reports", color_scheme=scheme, viewport={"width": 390, "height": 800})
    assert not axe_violations(page)
    page.click("#report")
    page.wait_for_url(re.compile(r"/reports/[0-9a-f-]+$"))
    assert not axe_violations(page)
    _finish(database, plan)
    expect(page.locator("#columns-title")).to_be_visible()
    for path in (page.url, f"{page.url}?show=evidently", "/reports"):
        page.goto(path)
        assert not axe_violations(page), path
        for width in (320, 768, 1280, 390):
            widen(page, width)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
            assert not page.evaluate(CUT_CAPTIONS), (path, width)
