"""Databases of a test's own, of either kind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from storage.database import Database

KINDS = ("sqlite", "postgresql")

#: For journeys in which the database takes no part. The reason stands where this is used.
only_on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True, scope="session")

#: A process that was killed a moment ago may still have a session there.
_PATIENCE_SECONDS = 60


def empty_database(server: str) -> str:
    """URL of a new, empty database on the PostgreSQL server of a URL."""
    return _create(server, "template1")


def copied_database(url: str) -> str:
    """URL of a copy of a PostgreSQL database that nobody uses at the moment, on the same server."""
    return _create(url, str(make_url(url).database))


@contextmanager
def migrated(url: str) -> Iterator[Database]:
    """The database of a URL, open for the block, with its tables."""
    opened = Database.open(url)
    opened.migrate()
    yield opened
    opened.close()


def _create(server: str, template: str) -> str:
    name = f"test_{uuid4().hex}"
    there = make_url(server)
    engine = create_engine(there.set(database="postgres"), isolation_level="AUTOCOMMIT")
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql(f'CREATE DATABASE {name} TEMPLATE "{template}"')
            break
        except OperationalError as error:
            if "being accessed" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    engine.dispose()
    return there.set(database=name).render_as_string(hide_password=False)
