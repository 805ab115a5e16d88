"""How each kind of database is reached: what a connection is told before it is used."""

from __future__ import annotations

import random
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from loop.refusals import StorageUnavailable
from storage.turns import DURABLE
from storage.unavailable import unavailable_because

#: How long a writer waits for another's lock before it is refused, with a reason.
WAIT_SECONDS = 10


def open_engine(url: str, longest_silence_seconds: float) -> Engine:
    """An engine that has reached its database once. Raises StorageUnavailable where it cannot.

    An SQLite file is created together with its folder, and put in WAL mode. `longest_silence_seconds`: of a
    PostgreSQL server while it carries out one statement, see `storage.silence`.
    """
    parsed = _parsed(url)
    is_file = _is_sqlite(parsed)
    engine = _sqlite_engine(parsed) if is_file else _postgresql_engine(parsed, longest_silence_seconds)
    try:
        if _is_sqlite(parsed):
            Path(str(parsed.database)).absolute().parent.mkdir(parents=True, exist_ok=True)
            _use_wal(engine)
        else:
            engine.connect().close()
    except (DBAPIError, sqlite3.Error, OSError) as error:
        engine.dispose()
        because = str(error) if isinstance(error, OSError) else unavailable_because(error)
        if because is None:
            raise
        raise StorageUnavailable(
            f"the database {parsed.render_as_string(hide_password=True)} cannot be opened ({because}); "
            "check REBENTO_DATABASE_URL, that its server runs or that its folder can be written"
        ) from error
    return engine


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StorageUnavailable(
            "REBENTO_DATABASE_URL is no database URL; write sqlite:////path/to/file or "
            "postgresql+psycopg://user@host/database"
        ) from error
    named = parsed.render_as_string(hide_password=True)
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise StorageUnavailable(
            f"the database {named} is of a kind Rebento does not write; use sqlite:////path/to/file or "
            "postgresql+psycopg://user@host/database"
        )
    if _is_sqlite(parsed) and parsed.database in (None, "", ":memory:"):
        raise StorageUnavailable(f"the database {named} names no file; use sqlite:////path/to/file")
    return parsed


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _postgresql_engine(url: URL, longest_silence_seconds: float) -> Engine:
    engine = _engine(url, pool_pre_ping=True)  # a restarted server costs no refused call
    # Not before it is known that the driver is there.
    from storage.silence import Bounded, bounds

    @event.listens_for(engine, "do_connect")
    def connects(_dialect: Any, _record: Any, arguments: list[Any], named: dict[str, Any]) -> Bounded:
        bounded = {**named, **bounds(url)}
        connection = Bounded.connect(*arguments, **bounded)
        connection.reached_by = bounded
        connection.longest_seconds = longest_silence_seconds
        return connection

    @event.listens_for(engine, "handle_error")
    def failed(context: ExceptionContext) -> None:
        # The second line (DETAIL) holds the whole row that broke a rule.
        for error in (context.original_exception, context.sqlalchemy_exception):
            if error is not None:
                error.args = (str(error.args[0] if error.args else "").partition("\n")[0],)

    return engine


def _sqlite_engine(url: URL) -> Engine:
    engine = _engine(url, connect_args={"timeout": WAIT_SECONDS})

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: Any) -> None:
        # sqlite3 would begin by itself, always deferred: four such writers failed 993 of 1,200 batches.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # an erased row is overwritten, not only unlinked

    @event.listens_for(engine, "begin")
    def begins(connection: Connection) -> None:
        durable = connection.get_execution_options().get(DURABLE)
        if durable is None:
            _set_pragma(connection, "busy_timeout", WAIT_SECONDS * 1_000)
            connection.exec_driver_sql("BEGIN")
        else:
            # Only outside a transaction does this pragma take effect.
            _set_pragma(connection, "synchronous", "FULL" if durable else "NORMAL")
            _set_pragma(connection, "busy_timeout", 0)
            _begin_immediate(connection)

    return engine


def _set_pragma(connection: Connection, name: str, value: str | int) -> None:
    if connection.info.get(name) != value:
        connection.exec_driver_sql(f"PRAGMA {name} = {value}")
        connection.info[name] = value


def _begin_immediate(connection: Connection) -> None:
    """Waits for the write lock in short steps.

    SQLite's own waiting sleeps 100 ms at a time in the end, while others take the lock again and again:
    with four busy processes one call in a hundred took 0.6 to 1.9 s.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except OperationalError as error:
            if not _is_busy(error.orig) or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.0005, 0.002))
        else:
            return


def _engine(url: URL, **options: Any) -> Engine:
    try:
        return create_engine(
            url,
            pool_timeout=WAIT_SECONDS,
            hide_parameters=True,  # rows and feedback must not reach a log through an error's text
            **options,
        )
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise StorageUnavailable(f"the database driver of {url.drivername} is not installed") from error


def _use_wal(engine: Engine) -> None:
    """Puts the file in WAL mode, once for ever. Waits while other processes do the same."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        raw = engine.raw_connection()
        try:
            cursor = raw.cursor()
            cursor.execute("PRAGMA journal_mode")
            if cursor.fetchone() == ("wal",):
                return
            cursor.execute("PRAGMA journal_mode = WAL")
            if cursor.fetchone() == ("wal",):
                return
            raise OSError("its folder cannot hold a write-ahead log; a network folder is no place for it")
        except sqlite3.OperationalError as error:
            # The change of mode does not wait by itself, whatever the timeout.
            if not _is_busy(error) or time.monotonic() > deadline:
                raise
        finally:
            raw.close()
        time.sleep(0.02)


def _is_busy(error: BaseException | None) -> bool:
    return isinstance(error, sqlite3.Error) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
