"""Brings a database to the revision this code knows, without Alembic where it is there already."""

from __future__ import annotations

import logging
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, inspect

from loop.refusals import StorageUnavailable
from storage.schema import REVISIONS
from storage.unavailable import is_held_by_another

log = logging.getLogger("rebento.storage")

#: Any number, the same in every version of this code: the advisory lock of whoever migrates.
_LOCK = 7_236_240_036
#: How long the others wait for who migrates, which on a large database or a busy machine takes its time.
_PATIENCE_SECONDS = 120.0


class _Opened(Protocol):
    def reading(self) -> AbstractContextManager[Connection]: ...
    def writing(self, durable: bool = True) -> AbstractContextManager[Connection]: ...


def migrate(database: _Opened) -> None:
    """Runs the revisions that are missing, all in one transaction that keeps other migrators out."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        with database.reading() as connection:
            if not _is_behind(connection):
                return
        try:
            _migrate(database)
        except StorageUnavailable as refusal:
            if not is_held_by_another(refusal) or time.monotonic() > deadline:
                raise
            log.info("another process writes to the database, and may be migrating it: this one waits")
        else:
            return


def _migrate(database: _Opened) -> None:
    with database.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        withheld = rights_withheld(connection)
        if withheld is not None:
            raise StorageUnavailable(withheld)
        # Another process may have migrated while this one waited.
        if _is_behind(connection):
            upgrade(connection, "head")
            log.info("database migrated revision=%s", REVISIONS[-1])


def rights_withheld(connection: Connection) -> str | None:
    """Why the database's user could not make or change tables, with what to do; None: it could."""
    if connection.dialect.name != "postgresql":
        return None
    wanted = "SELECT current_user, current_database(), current_schema()"
    user, name, schema = connection.exec_driver_sql(wanted).one()
    asked = "SELECT has_schema_privilege(current_schema(), 'CREATE')"
    if schema is not None and connection.exec_driver_sql(asked).scalar():
        return None
    return (
        f"the database user {user} may not make tables in the database {name}: let its owner say "
        f'GRANT CREATE, USAGE ON SCHEMA {schema or "public"} TO "{user}", or name another user'
    )


def _is_behind(connection: Connection) -> bool:
    found = revision(connection)
    if found is not None and found not in REVISIONS:
        log.warning(
            "the database is at revision %s, which this code (%s) does not know; it was migrated by newer "
            "code, and as migrations only add, this one carries on",
            found,
            REVISIONS[-1],
        )
        return False
    return found != REVISIONS[-1]


def revision(connection: Connection) -> str | None:
    """The revision a database is at; None: it has no tables of ours yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").first()
    return None if row is None else str(row[0])


def upgrade(connection: Connection, to: str) -> None:
    """Runs the revisions up to and with `to`, in the connection's transaction."""
    # Not at the top: serving starts on a database that is up to date, and Alembic takes 0.2 s to import.
    from alembic import command
    from alembic.config import Config

    config = Config()
    folder = str(Path(__file__).with_name("migrations"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)
