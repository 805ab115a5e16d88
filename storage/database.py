"""One database, an SQLite file or PostgreSQL: its transactions and its secrets."""

from __future__ import annotations

import secrets as randomness
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, bindparam, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from loop.refusals import StorageUnavailable
from storage import schema
from storage.engines import open_engine
from storage.migration import migrate
from storage.turns import DURABLE
from storage.unavailable import unavailable_because

#: Of a PostgreSQL server that answers others meanwhile: a report's or a backup's statements are work.
_PATIENCE_SECONDS = 600.0
#: Where somebody waits for the answer: the API and the pages.
HURRIED_SECONDS = 12.0


class Database:
    """The database of one installation. May be shared by threads; processes each open their own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str, *, longest_silence_seconds: float = _PATIENCE_SECONDS) -> Database:
        """The database at a SQLAlchemy URL: `sqlite:///PATH` or `postgresql+psycopg://…`.

        An SQLite file is created together with its folder, and put in WAL mode. Raises StorageUnavailable
        where the URL is of neither kind or nothing can be opened there. Makes no tables: see `migrate`.

        No use of a PostgreSQL waits for ever: where the server says nothing for 12 s, or its host is gone,
        StorageUnavailable is raised; later, after `longest_silence_seconds`, where it answers others.
        """
        return cls(open_engine(url, longest_silence_seconds))

    def migrate(self) -> None:
        """Brings the tables to the revision this code knows. Several processes may do so at once.

        At that revision already it costs one query. A database that newer code has migrated further is
        left as it is, with a warning: migrations only add, so an older Bento goes on using it.
        """
        migrate(self)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the database, whatever is written meanwhile."""
        with self._refusing("read"), self._engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection

    @contextmanager
    def writing(self, durable: bool = True) -> Iterator[Connection]:
        """A connection in one transaction, committed at the end of the block, rolled back on any error.

        Durable: the commit has reached the disk when the block is left. Otherwise it outlives this
        process but a power cut may take the last moments. Waits 10 seconds at most for other writers.
        Raises StorageUnavailable where the database cannot be written now (locked, full, read-only,
        silent, gone); then nothing of the block can be taken as stored. It may have been all the same where
        the server was lost during the commit.
        """
        with self._refusing("written"), self._engine.connect() as connection:
            connection.execution_options(**{DURABLE: durable})
            with connection.begin():
                if not durable and connection.dialect.name == "postgresql":
                    connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                yield connection

    def secret(self, name: str, create_bytes: int = 32) -> bytes:
        """The installation's secret of this name, made of random bytes when first asked for.

        The same for every process, also when several ask at once.
        """
        wanted = select(schema.secrets.c.value).where(schema.secrets.c.name == bindparam("name"))
        with self.reading() as connection:
            value: bytes | None = connection.scalar(wanted, {"name": name})
        if value is not None:
            return value
        with self.writing() as connection:
            mark = "?" if connection.dialect.name == "sqlite" else "%s"
            connection.exec_driver_sql(
                f"INSERT INTO secrets (name, value) VALUES ({mark}, {mark}) ON CONFLICT DO NOTHING",
                (name, randomness.token_bytes(create_bytes)),
            )
            return bytes(connection.execute(wanted, {"name": name}).scalar_one())

    def close(self) -> None:
        """Closes the connections that are not in use."""
        self._engine.dispose()

    @contextmanager
    def _refusing(self, verb: str) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, PoolTimeout, sqlite3.Error) as error:
            because = unavailable_because(error)
            if because is None:
                raise
            raise StorageUnavailable(
                f"the database cannot be {verb} now ({because}); send this again later, and check the disk "
                "or the server that REBENTO_DATABASE_URL names"
            ) from error
