"""Which use case is meant."""

from __future__ import annotations

from pathlib import Path

from installation import make_current
from settings import CURRENT_USE_CASE, Settings


def test_whoever_reads_meanwhile_finds_one_use_case_or_the_other(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    make_current(settings, "churn")
    with (tmp_path / CURRENT_USE_CASE).open() as reader:
        make_current(settings, "visits")
        assert reader.read() == "churn\n"
    assert settings.current_use_case == "visits"
    assert [file.name for file in tmp_path.iterdir()] == [CURRENT_USE_CASE]
