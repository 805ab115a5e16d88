"""How a database is: its revision, its integrity, its clock."""

from __future__ import annotations

import sqlite3

from sqlalchemy import Connection, func, inspect, select
from sqlalchemy.exc import DBAPIError

from loop.refusals import StorageUnavailable
from storage import schema
from storage.migration import revision as revision
from storage.migration import rights_withheld as rights_withheld
from storage.schema import REVISIONS as REVISIONS

#: A larger SQLite file would take minutes to read through.
_MOST_CHECKED_BYTES = 2_000_000_000


def damage(connection: Connection) -> str | None:
    """What SQLite finds wrong in its file; None: nothing, or PostgreSQL, or too large to look."""
    if connection.dialect.name != "sqlite":
        return None
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    size = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    if pages * size > _MOST_CHECKED_BYTES:
        return None
    found = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())
    return None if found == "ok" else found


def is_damage(refusal: StorageUnavailable) -> bool:
    """Whether a database could not be used because its SQLite file is no whole database."""
    cause = refusal.__cause__
    original = cause.orig if isinstance(cause, DBAPIError) else cause
    code = getattr(original, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def missing_tables(connection: Connection) -> list[str]:
    """Names of the tables of the last revision that are not there."""
    return sorted(schema.metadata.tables.keys() - set(inspect(connection).get_table_names()))


def server_ms(connection: Connection) -> int | None:
    """The time by the database server's clock; None: there is no server but this machine."""
    if connection.dialect.name == "sqlite":
        return None
    return int(
        connection.exec_driver_sql(
            "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
        ).scalar_one()
    )


def newest_ms(connection: Connection, use_case: str) -> int:
    """The last instant that anything was stored with; 0: nothing is."""
    stamps = (
        (schema.predictions, schema.predictions.c.predicted_at_ms),
        (schema.feedback, schema.feedback.c.received_at_ms),
        (schema.versions, schema.versions.c.created_at_ms),
        (schema.runs, schema.runs.c.requested_at_ms),
    )
    found = [
        connection.scalar(select(func.max(column)).where(table.c.use_case == use_case))
        for table, column in stamps
    ]
    return max((int(one) for one in found if one is not None), default=0)
