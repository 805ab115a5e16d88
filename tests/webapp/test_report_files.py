"""The files of a report: Evidently's page in a frame that may do nothing, downloads, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from storage.database import Database
from tests.webapp.conftest import Pages
from tests.webapp.stored_reports import done
from webapp.pages.report_files import kept_file
from webapp.plan import Plan


def test_evidently_is_loaded_when_asked_for_in_a_frame_that_may_do_nothing(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    path = f"/reports/{done(database, plan).report_id}"
    pages = opened()
    assert "<iframe" not in pages.get(path).text
    shown = pages.get(f"{path}?show=evidently")
    assert f'src="{path}/frame" sandbox="allow-scripts"' in shown.text
    assert "unsafe-inline" not in shown.headers["content-security-policy"]
    frame = pages.get(f"{path}/frame")
    policy = frame.headers["content-security-policy"]
    assert frame.text == "<p>drawn</p>"
    assert "sandbox allow-scripts;" in policy and "default-src 'none'" in policy
    assert "allow-same-origin" not in policy and "connect-src" not in policy and "http" not in policy
    assert frame.headers["x-frame-options"] == "SAMEORIGIN"
    for name in ("report.html", "report.json"):
        file = pages.get(f"{path}/{name}")
        assert file.headers["content-disposition"].startswith("attachment")
        assert "sandbox" in file.headers["content-security-policy"]


def test_files_that_a_killed_report_of_the_same_name_left_are_not_given_out_as_its_own(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    report = done(database, plan)
    page, numbers = (plan.home / "reports" / plan.use_case / f"drift.{kind}" for kind in ("html", "json"))
    page.write_text('<html><head><meta name="rebento-report" content="another">')
    numbers.write_text(f'{{\n "report": "{report.report_id}"}}')
    path, pages = f"/reports/{report.report_id}", opened()
    shown = pages.get(path).text
    assert 'id="get-json"' in shown and 'id="get-html"' not in shown and "show-evidently" not in shown
    answers = [pages.get(f"{path}/{name}").status_code for name in ("frame", "report.html", "report.json")]
    assert answers == [404, 404, 200]


def test_only_files_among_the_reports_are_ever_served(
    opened: Callable[..., Pages], plan: Plan, database: Database, tmp_path: Path
) -> None:
    secret = plan.home / "secret.html"
    secret.write_text("secret")
    (plan.home / "reports").mkdir()
    (plan.home / "reports" / "link.html").symlink_to(secret)
    pages = opened()
    for told in ("../secret.html", "reports/../secret.html", str(secret), "reports/link.html", "reports"):
        assert kept_file(plan.home, "any", told) is None
        report = done(database, plan, html=told)
    escaped = done(database, plan, html=None)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE reports SET html = 'secret.html', json = 'reports/link.html'")
    for name in ("frame", "report.html", "report.json"):
        answer = pages.get(f"/reports/{escaped.report_id}/{name}")
        assert answer.status_code == 404 and "secret" not in answer.text.replace("secret.html", "")
    assert "files are not there any more" in pages.get(f"/reports/{report.report_id}").text


def test_files_take_a_sign_in_and_other_use_cases_reports_are_not_found(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    report = done(database, plan)
    pages = opened(api_token="secret-token")
    for name in ("frame", "report.html", "report.json"):
        answer = pages.get(f"/reports/{report.report_id}/{name}")
        assert answer.status_code == 303 and answer.headers["location"].startswith("/sign-in")
    assert "Sign in to read its files." in pages.get(f"/reports/{report.report_id}").text
    assert (
        pages.post("/reports", data={"csrf": pages.token("/reports")}).headers["location"].endswith("reports")
    )
    elsewhere = opened(use_case="other")
    for path in ("", "/frame", "/report.html", "/report.json"):
        assert elsewhere.get(f"/reports/{report.report_id}{path}").status_code == 404
