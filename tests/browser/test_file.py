"""A file in a browser: uploaded, looked at, answered while one watches, paged, downloaded."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit, axe_violations

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pages"), pytest.mark.timeout(600)]

#: Files are answered at low priority: on a busy machine everybody else comes first.
PATIENCE_SECONDS = 240


@pytest.fixture
def table(tmp_path: Path, row: dict[str, Any]) -> Path:
    """120 rows, one of them wrong."""
    written = io.StringIO()
    writer = csv.DictWriter(written, list(row))
    writer.writeheader()
    writer.writerows({**row, **({"age": "old"} if number == 3 else {})} for number in range(120))
    path = tmp_path / "rows.csv"
    path.write_text(written.getvalue(), encoding="utf-8")
    return path


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_file_is_answered_while_one_watches(visit: Visit, table: Path, scripts: bool) -> None:
    page = visit("/files", java_script_enabled=scripts, accept_downloads=True)
    page.get_by_label("CSV or Parquet").set_input_files(table)
    page.click("#upload")
    expect(page.get_by_text("Of the first 50 rows, 1 break the contract")).to_be_visible()
    if scripts:
        assert not axe_violations(page)
    page.click("#start")
    if scripts:
        expect(page.locator("#download")).to_be_visible(timeout=PATIENCE_SECONDS * 1000)
    else:
        expect(
            page.get_by_role("link", name="Look again").or_(page.locator("#download")).first
        ).to_be_visible()
        ended = time.monotonic() + PATIENCE_SECONDS
        while not page.locator("#download").count() and time.monotonic() < ended:
            page.goto(page.url)
        expect(page.locator("#download")).to_be_visible()
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_text("Rows 51 to 100 of 120")).to_be_visible()
    with page.expect_download() as download:
        page.click("#download")
    assert len(Path(download.value.path()).read_text(encoding="utf-8").splitlines()) == 121
    if scripts:
        assert not axe_violations(page)
        page.goto("/files")
        assert not axe_violations(page)
