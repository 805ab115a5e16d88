"""Each storage test runs twice: on an SQLite file, and on a database of its own in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.database import Database
from tests.databases import KINDS, empty_database, migrated


@pytest.fixture
def postgres_url(postgres: str) -> str:
    """URL of an empty database."""
    return empty_database(postgres)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """URL of an SQLite file that does not exist yet, in a folder that does not exist yet."""
    return f"sqlite:///{tmp_path / 'home' / 'rebento.sqlite'}"


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest) -> str:
    """URL of an empty database of either kind."""
    chosen: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return chosen


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A migrated database of either kind."""
    with migrated(url) as opened:
        yield opened
