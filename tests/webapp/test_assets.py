"""Files under static/ are kept by browsers for ever, and change their name with their content."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

from tests.webapp.conftest import Pages
from webapp.assets import Assets


def test_a_file_has_a_name_of_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("one")
    before = Assets(tmp_path).url("a.css")
    (tmp_path / "a.css").write_text("two")
    assert re.fullmatch(r"/static/a\.[0-9a-f]{12}\.css", before)
    assert Assets(tmp_path).url("a.css") != before


def test_everything_that_a_page_loads_is_there_and_weighs_little(opened: Callable[..., Pages]) -> None:
    pages = opened()
    for path in ("/", "/predict", "/settings", "/patterns"):
        page = pages.get(path)
        weight = len(gzip.compress(page.content, 6))
        linked = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text))
        assert len(linked) == 4
        for url in linked:
            answer = pages.get(url)
            assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
            weight += int(answer.headers["content-length"])
        assert weight < 100_000, path
