"""The benchmark of the pages: a made-up past that every page can show, and a bound that can be missed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.history import Amounts, fill
from benchmarks.pages import MOST_BYTES, Measured, measure, paths, shown
from scripts.indexed_png import indexed_png
from tests.homes import Home
from tests.webapp.conftest import plan_of_home, served
from use_cases.use_case import SHIPPED, read_use_case


@pytest.mark.slow
def test_every_page_of_an_installation_with_a_past_answers_and_is_light(
    trained: Home, tmp_path: Path
) -> None:
    home = trained.copy(tmp_path)
    amounts = Amounts(predictions=300, feedbacks=100, runs=6, versions=4, decisions=6, reports=6, days=10)
    use_case = read_use_case("small", [home.folder / "use_cases", SHIPPED])
    fill(home.var, home.database_url, use_case, Path(), amounts)
    with served(plan_of_home(home, "http://127.0.0.1:9")) as pages:
        for path in paths(home.database_url, "small"):
            found = measure(str(pages.base_url), path, requests=2)
            assert found.page_bytes < found.all_bytes < MOST_BYTES, path


def test_a_page_that_is_slow_or_heavy_misses_the_bound() -> None:
    assert not Measured("/", 5, 49.9, 4_000, 99_999).misses
    assert Measured("/", 5, 50.1, 4_000, 26_000).misses
    assert Measured("/", 5, 8, 4_000, 100_000).misses


def test_ids_are_left_out_of_the_table() -> None:
    assert shown("/versions/doctor_visits:20260301-120000-0badcafe/promote") == "/versions/…/promote"
    assert shown("/reports/20260301-120000-0badcafe") == "/reports/…"


def test_a_picture_keeps_its_common_colours_and_gets_small() -> None:
    random = np.random.default_rng(0)
    pixels = np.full((200, 300, 3), (246, 247, 244), np.uint8)
    pixels[20:60, 20:200] = (31, 107, 74)
    pixels[100:110] = random.integers(0, 256, (10, 300, 3))
    small = indexed_png(pixels)
    palette = small[small.index(b"PLTE") + 4 :][: 256 * 3]
    assert bytes((246, 247, 244)) in palette and bytes((31, 107, 74)) in palette
    assert len(small) < pixels.nbytes / 20
