"""Each storage test runs twice: on an SQLite file, and on a database of its own in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine

from storage.database import Database
from tests.storage.postgres import server


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a running server; one server a test process. Fails where PostgreSQL is not installed."""
    with server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres: str) -> str:
    """URL of an empty database."""
    name = f"test_{uuid4().hex}"
    engine = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return postgres.rpartition("/")[0] + f"/{name}"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """URL of an SQLite file that does not exist yet, in a folder that does not exist yet."""
    return f"sqlite:///{tmp_path / 'home' / 'rebento.sqlite'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """URL of an empty database of either kind."""
    chosen: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return chosen


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A migrated database of either kind."""
    opened = Database.open(url)
    opened.migrate()
    yield opened
    opened.close()
