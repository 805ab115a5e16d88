"""Which database errors mean "not now": those are refusals, all others are mistakes of ours."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from loop.refusals import StorageUnavailable

#: Primary result codes (https://www.sqlite.org/rescode.html). SQLITE_ERROR is not among them: it means
#: a missing table or wrong SQL.
_SQLITE_CODES = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
    )
)

#: Classes and codes of SQLSTATE (PostgreSQL's documentation, appendix A).
_SQLSTATE_CLASSES = frozenset(("08", "28", "3D", "40", "53", "57", "58"))
_LOCKED = "55P03"  # lock_not_available
_SQLSTATES = frozenset(
    (
        "25006",  # read_only_sql_transaction: a standby, or a server made read-only
        "25P03",  # idle_in_transaction_session_timeout
        _LOCKED,
    )
)


def unavailable_because(error: Exception) -> str | None:
    """Why the database cannot be used now, in its own words; None where the error means anything else.

    Takes errors of SQLAlchemy and of sqlite3. The text never holds a statement's values.
    """
    if isinstance(error, PoolTimeout):
        return "every connection is in use"
    original = error.orig if isinstance(error, DBAPIError) else error
    words = str(original).strip().partition("\n")[0] or type(original).__name__
    if isinstance(original, sqlite3.Error):
        code: int | None = getattr(original, "sqlite_errorcode", None)
        return words if code is not None and code & 0xFF in _SQLITE_CODES else None
    if not isinstance(error, DBAPIError):
        return None
    state: str | None = getattr(original, "sqlstate", None)
    if state is None:
        # The driver's own: the server cannot be reached, or the connection is gone.
        return words if error.connection_invalidated or _is_operational(original) else None
    return words if state[:2] in _SQLSTATE_CLASSES or state in _SQLSTATES else None


def is_held_by_another(refusal: StorageUnavailable) -> bool:
    """Whether a database could not be used because another transaction held what was wanted for too long."""
    cause = refusal.__cause__
    original = cause.orig if isinstance(cause, DBAPIError) else cause
    code: int = getattr(original, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_BUSY or getattr(original, "sqlstate", None) == _LOCKED


def _is_operational(original: BaseException | None) -> bool:
    # By name: SQLite installations need no PostgreSQL driver at start-up.
    return any(base.__name__ == "OperationalError" for base in type(original).__mro__)
