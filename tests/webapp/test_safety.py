"""Nothing is changed by a page of somebody else, nothing is shown to who may not see it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.routing import Route

from tests.webapp.conftest import Pages
from webapp.assets import Assets
from webapp.pages.visitor import own_path
from webapp.plan import Plan
from webapp.routes import routes
from webapp.safety import CONTENT_SECURITY_POLICY, FORM_BYTES

Open = Callable[..., Pages]
TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
ROUTES = [route for route in routes(Assets()) if isinstance(route, Route)]
CHANGES = [route.path for route in ROUTES if route.methods and "POST" in route.methods]
SHOWN = [route.path for route in ROUTES if route.methods and "GET" in route.methods and "{" not in route.path]

#: Pages about something chosen decline where nothing was, or where there is nothing to go back to.
WITHOUT_A_CHOICE = {"/quarantine": (409,), "/versions/compare": (404,), "/versions/rollback": (409,)}


def _path(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "x", path)


@pytest.mark.parametrize("path", CHANGES)
def test_no_form_is_taken_without_its_token(path: str, opened: Open) -> None:
    pages = opened()
    assert pages.post(_path(path), data={"language": "fr"}).status_code == 403
    pages.get("/")
    refused = pages.post(_path(path), data={"csrf": "invented"})
    assert refused.status_code == 403 and "load the page again" in refused.text


def test_a_token_of_another_browser_is_no_use(opened: Open) -> None:
    mine, theirs = opened(), opened()
    assert mine.submit("/language", language="fr").status_code == 303
    token = theirs.token()
    mine.get("/")
    assert mine.post("/language", data={"csrf": token, "language": "fr"}).status_code == 403


@pytest.mark.parametrize(
    "headers", [{"origin": "https://elsewhere.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}]
)
def test_what_another_sites_page_sends_is_refused(headers: dict[str, str], opened: Open) -> None:
    pages = opened()
    values = {"csrf": pages.token(), "language": "fr"}
    assert pages.post("/language", data=values, headers=headers).status_code == 403
    own = {"origin": str(pages.base_url).rstrip("/"), "sec-fetch-site": "same-origin"}
    assert pages.post("/language", data=values, headers=own).status_code == 303


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 400),
        ("evil.example:8081", 400),
        ("", 400),
        ("10.1.2.3", 400),
        ("127.0.0.1:8081", 200),
        ("localhost:9", 200),
        ("[::1]:8081", 200),
    ],
)
def test_a_strangers_name_for_this_machine_is_refused(host: str, status: int, opened: Open) -> None:
    assert opened().get("/", headers={"host": host}).status_code == status


def test_a_named_host_and_addresses_are_taken_where_the_pages_are_open_to_others(opened: Open) -> None:
    pages = opened(host="0.0.0.0", hosts=("churn.example",), api_token="t")
    for host in ("churn.example:8081", "10.1.2.3:8081", "localhost"):
        assert pages.get("/", headers={"host": host}).status_code == 200
    assert pages.get("/", headers={"host": "evil.example"}).status_code == 400


def test_a_named_host_is_taken_on_loopback_as_well(opened: Open) -> None:
    pages = opened(hosts=("churn.example",))  # a proxy on this machine may hand its own name on
    assert pages.get("/", headers={"host": "churn.example"}).status_code == 200
    refused = pages.get("/", headers={"host": "evil.example"})
    assert refused.status_code == 400 and "REBENTO_ALLOWED_HOSTS" in refused.text


def test_every_answer_carries_the_strict_policy(opened: Open) -> None:
    pages = opened()
    for path in (*SHOWN, "/nothing-here", "/static/nothing.css"):
        answer = pages.get(path)
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy and "default-src 'none'" in policy, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
    assert pages.get("/nothing-here").status_code == 404


def test_no_template_holds_an_inline_script_or_style() -> None:
    for path in TEMPLATES.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|hx-on|javascript:|\|\s*safe", text), path.name
        assert not re.search(r"<script(?![^>]*\ssrc=)", text), path.name
        assert not re.search(r"(src|href|action)=\"(https?:)?//", text), path.name


def test_cookies_are_out_of_reach_of_scripts_and_of_other_sites(opened: Open) -> None:
    pages = opened(api_token="the token")
    cookies = [pages.get("/").headers["set-cookie"]]
    cookies.append(pages.submit("/sign-in", token="the token").headers["set-cookie"])
    cookies.append(pages.submit("/language", language="fr").headers["set-cookie"])
    for cookie in cookies:
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie
        assert "Secure" not in cookie, "on this machine there is no TLS"


def test_cookies_of_who_came_by_tls_are_never_sent_without(opened: Open) -> None:
    pages = opened(api_token="the token")
    token = pages.token("/sign-in")
    behind_a_proxy = {"x-forwarded-proto": "https"}
    answers = [
        pages.post("/sign-in", data={"csrf": token, "token": "the token"}, headers=behind_a_proxy),
        pages.post("/language", data={"csrf": token, "language": "fr"}, headers=behind_a_proxy),
    ]
    pages.cookies.clear()
    answers.append(pages.get("/", headers=behind_a_proxy))
    for answer in answers:
        assert answer.status_code < 400
        assert "Secure" in answer.headers["set-cookie"]


def test_reading_a_page_writes_nothing(plan: Plan, opened: Open) -> None:
    pages = opened()

    def stored() -> list[str]:
        with sqlite3.connect(plan.database_url.removeprefix("sqlite:///")) as connection:
            return list(connection.iterdump())

    before = stored()
    for path in SHOWN:
        assert pages.get(path).status_code in WITHOUT_A_CHOICE.get(path, (200, 204)), path
    assert stored() == before


def test_changes_take_a_sign_in_where_a_token_is_set(opened: Open) -> None:
    pages = opened(api_token="the token")
    assert pages.get("/").status_code == 200
    sent = pages.submit("/predict")
    assert sent.status_code == 303 and sent.headers["location"] == "/sign-in?next=/predict"
    assert pages.get("/predictions/abc").headers["location"].startswith("/sign-in")
    assert pages.submit("/sign-in", token="wrong").status_code == 422
    entered = pages.submit("/sign-in", token="the token", next="/predict")
    assert entered.status_code == 303 and entered.headers["location"] == "/predict"
    assert pages.submit("/predict").headers["location"] == "/predict"
    pages.submit("/sign-out")
    by_htmx = {"hx-request": "true", "hx-target": "prediction"}
    asked = pages.post("/predict", data={"csrf": pages.token()}, headers=by_htmx)
    assert asked.headers["hx-redirect"] == "/sign-in?next=/predict"
    assert pages.submit("/predict").headers["location"].startswith("/sign-in")


def test_a_sign_in_ends_with_its_token(opened: Open) -> None:
    before, after = opened(api_token="old", secret=b"s"), opened(api_token="new", secret=b"s")
    cookie = before.submit("/sign-in", token="old").cookies["rebento_signed_in"]
    after.cookies.set("rebento_signed_in", cookie)
    assert after.submit("/predict").headers["location"].startswith("/sign-in")


def test_nobody_signs_in_where_no_token_is_set(opened: Open) -> None:
    pages = opened()
    assert pages.submit("/predict").headers["location"] == "/predict"
    assert "nobody has to sign in" in pages.get("/sign-in").text


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "/a\nb"]
)
def test_a_sign_in_never_leads_elsewhere(path: str) -> None:
    assert own_path(path) == "/"


def test_a_body_beyond_the_limit_is_refused_with_and_without_a_length(opened: Open) -> None:
    pages = opened()
    content = {"content-type": "application/x-www-form-urlencoded"}
    body = b"&".join([b"a=" + b"x" * 100_000] * (FORM_BYTES // 100_000 + 1))
    pieces = (body[place : place + 65_536] for place in range(0, len(body), 65_536))
    for sent in (body, pieces):
        answer = pages.post("/predict", content=sent, headers=content)
        assert answer.status_code == 413
        assert "This page takes 1.0\xa0MB at a time" in answer.text and "</nav>" in answer.text
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY


@pytest.mark.parametrize(
    ("path", "referer", "leads_to"),
    [
        ("/versions/rollback", "", "/versions/rollback"),
        ("/versions/v:1/promote", "", "/versions/v%3A1/promote"),
        ("/predictions/abc/feedback", "/predictions/abc", "/predictions/abc"),
        ("/quarantine", "/quarantine?source=x&act=discard", "/quarantine%3Fsource%3Dx%26act%3Ddiscard"),
        ("/runs/r/retry", "", "/"),
        ("/runs/r/retry", "/runs/r/retry", "/"),
        ("/runs/r/retry", "http://elsewhere.example/runs", "/"),
    ],
)
def test_after_the_sign_in_a_person_is_where_the_form_was(
    opened: Open, path: str, referer: str, leads_to: str
) -> None:
    pages = opened(api_token="the token")
    sent = pages.post(path, headers={"referer": str(pages.base_url.join(referer)) if referer else ""})
    assert sent.headers["location"] == f"/sign-in?next={leads_to}"


def test_a_row_that_holds_markup_shows_as_text(opened: Open) -> None:
    asked = opened(api_token="t").get("/sign-in", params={"next": '/"><script>alert(1)</script>'})
    assert "<script>alert" not in asked.text and "&lt;script&gt;" in asked.text
