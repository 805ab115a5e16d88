"""What a person does in a browser: with and without scripts, by keyboard alone, in either colour scheme."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE_MS, Visit, axe_violations
from tests.homes import BIN, Home, free_port, serving
from tests.webapp.conftest import plan_of_home, served

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pages")]

PATHS = (
    *("/", "/predict", "/predict?example=2", "/files", "/feedback", "/feedback/next", "/quarantine"),
    *("/versions", "/runs", "/reports", "/settings", "/patterns", "/sign-in", "/nothing-here"),
)


def _predict_example(page: Page) -> None:
    page.click("#fill-example")
    expect(page.locator("#fill-example")).to_have_text(re.compile("Another"))
    page.get_by_label("Age", exact=True).fill("41.5")
    page.click("#predict")
    page.wait_for_url("**/predictions/*")
    expect(page.get_by_role("heading", name="What was it really?")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_person_predicts_sees_why_and_says_what_it_was(visit: Visit, scripts: bool) -> None:
    page = visit("/predict", java_script_enabled=scripts)
    _predict_example(page)
    expect(page.get_by_role("heading", name="Why")).to_be_visible()
    expect(page.locator(".answer .label")).to_have_text(re.compile("yes|no"))
    if scripts:
        expect(page.locator(".answer .label")).to_be_focused()
    page.locator(".classes").get_by_role("button", name="no", exact=True).click()
    expect(page.locator(".told strong")).to_have_text("no")
    address = page.url
    page.goto("/predict")
    page.goto(address)
    expect(page.locator(".told strong")).to_have_text("no")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_refused_input_is_named_beside_its_field_and_focused(visit: Visit, scripts: bool) -> None:
    page = visit("/predict", java_script_enabled=scripts)
    page.get_by_label("Age", exact=True).fill("33")
    page.click("#predict")
    expect(page.locator(".problem").first).to_have_text("Please fill this in: the model needs it.")
    expect(page.get_by_label("Age", exact=True)).to_have_value("33")
    first = page.locator("[aria-invalid=true]").first
    if scripts:
        expect(first).to_be_focused()
    described = first.get_attribute("aria-describedby")
    assert described and page.locator(f"#{described.split()[-1]}").is_visible()


def test_a_keyboard_is_enough(visit: Visit) -> None:
    page = visit("/predict?example=4")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.locator("#main").press("Tab")
    expect(page.locator("#fill-example")).to_be_focused()
    page.get_by_label("Age", exact=True).focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("51")
    page.keyboard.press("Enter")
    expect(page.locator(".answer .label")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".told strong")).to_have_text("no")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(visit: Visit, scheme: str) -> None:
    page = visit("/", color_scheme=scheme)
    for path in PATHS:
        page.goto(path)
        assert not axe_violations(page), path
    page.goto("/predict")
    page.click("#predict")
    expect(page.locator(".problem").first).to_be_visible()
    assert not axe_violations(page)
    _predict_example(page)
    page.locator(".classes").get_by_role("button", name="yes", exact=True).click()
    expect(page.locator(".told")).to_be_visible()
    assert not axe_violations(page)


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_no_page_is_wider_than_its_screen(visit: Visit, width: int) -> None:
    page = visit("/", viewport={"width": width, "height": 800})
    for path in PATHS:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_a_browser_that_wants_french_gets_it_and_the_switch_changes_it(visit: Visit) -> None:
    page = visit("/predict", locale="fr-FR")
    expect(page.get_by_role("heading", level=1)).to_have_text("Prédire")
    page.click("#fill-example")
    expect(page.locator("#fill-example")).to_have_text(re.compile("Un autre"))
    page.get_by_label("Age", exact=True).fill("41.5")
    page.click("#predict")
    page.wait_for_url("**/predictions/*")
    expect(page.locator(".probabilities .number").first).to_have_text(re.compile(r"^\d+,\d\s%$"))
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Predict")


def test_everything_comes_from_here(visit: Visit, address: str) -> None:
    page = visit("/settings")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in PATHS:
        page.goto(path)
    assert asked and all(url.startswith(address) for url in asked)


def test_pages_say_that_the_service_is_down_and_come_back_by_themselves(
    browser: Browser, trained: Home, tmp_path: Path
) -> None:
    port = free_port()
    home = trained.copy(tmp_path)
    with served(plan_of_home(home, f"http://127.0.0.1:{port}")) as pages:
        page = browser.new_page(base_url=str(pages.base_url), locale="en-GB")
        page.set_default_timeout(PATIENCE_MS)
        page.goto("/predict?example=1")
        page.get_by_label("Age", exact=True).fill("41.5")
        expect(page.locator("#service .notice")).to_contain_text("The service does not answer.")
        page.click("#predict")
        expect(page.locator("#prediction .notice")).to_contain_text("What you typed is still here")
        with serving(home, [str(BIN / "rebento"), "up"], port):
            expect(page.locator("#service .notice")).to_have_count(0)
            expect(page.get_by_label("Age", exact=True)).to_have_value("41.5")
            page.click("#predict")
            expect(page.get_by_role("heading", name="What was it really?")).to_be_visible()
        page.close()


def test_a_button_works_from_the_moment_it_is_drawn(visit: Visit) -> None:
    page = visit("/predict")
    page.evaluate(
        """() => {
          window.stayed = true;
          const seen = new MutationObserver(() => {
            const drawn = document.querySelector(".classes button[value=no]");
            if (drawn) { seen.disconnect(); drawn.click(); }
          });
          seen.observe(document.getElementById("prediction"), { childList: true });
        }"""
    )
    _predict_example(page)
    expect(page.locator(".told strong")).to_have_text("no")
    expect(page.locator(".answer .label")).to_be_focused()
    assert page.evaluate("window.stayed") is True


def test_home_draws_itself_anew_without_a_reload(visit: Visit) -> None:
    page = visit("/")
    page.evaluate("window.stayed = true; document.getElementById('health-title').dataset.drawn = 'before'")
    expect(page.locator("#health-title:not([data-drawn])")).to_be_visible()
    assert page.evaluate("window.stayed") is True
