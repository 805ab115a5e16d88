"""Whose turn it is to write, on PostgreSQL. SQLite has one writer at a time anyway.

The danger: feedback looks for its prediction while another transaction has stored that prediction but
not committed it. Feedback would be left pending, and the other transaction has already looked for
pending feedback: the two would never meet. So whoever stores feedback is alone; transactions that only
log predictions go side by side. Feedback had to take turns in any case, at the counter's row.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

#: Execution option of a transaction opened by `Database.writing`.
DURABLE = "rebento_durable"

_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended(:use_case, 0))")
_BESIDE_OTHERS = text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:use_case, 0))")


def take_turn(connection: Connection, use_case: str, *, alone: bool = False) -> None:
    """Waits for this use case's turn and keeps it until the transaction ends.

    A durable transaction is alone from its first turn on, because feedback follows in it: two that
    began side by side would wait for each other for ever.
    """
    if connection.dialect.name == "postgresql":
        alone = alone or bool(connection.get_execution_options().get(DURABLE, True))
        connection.execute(_ALONE if alone else _BESIDE_OTHERS, {"use_case": use_case})
