"""The counter of labelled production rows, and the training runs that its multiples of k ask for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from sqlalchemy import Connection, text, update

from storage import schema
from storage.runs import request_run

Item = TypeVar("Item")

#: Values of one IN list: far below what SQLite (32,766) and PostgreSQL (65,535) take.
_IN_LIST = 500

_RAISED = text(
    "INSERT INTO counters (use_case, production_rows) VALUES (:use_case, :more) ON CONFLICT (use_case) "
    "DO UPDATE SET production_rows = counters.production_rows + excluded.production_rows "
    "RETURNING production_rows"
)
_STANDING = text("SELECT production_rows FROM counters WHERE use_case = :use_case")


def chunked(items: Collection[Item]) -> Iterator[Sequence[Item]]:
    """The items in lists short enough for an IN."""
    rest = iter(items)
    while chunk := list(islice(rest, _IN_LIST)):
        yield chunk


def production_rows(connection: Connection, use_case: str) -> int:
    """How many predictions of a use case were ever labelled."""
    return int(connection.execute(_STANDING, {"use_case": use_case}).scalar() or 0)


def count_labelled(
    connection: Connection, use_case: str, prediction_ids: Collection[str], *, k: int, at_ms: int
) -> tuple[int, str | None]:
    """Marks stored predictions as labelled and counts those that were not before.

    Gives the counter, and the id of the last training run asked for (None: no multiple of k was
    crossed). A step over several multiples asks for one run each. Raises ValueError where k < 1.
    """
    if k < 1:
        raise ValueError(f"k, the feedbacks per training, must be at least 1, not {k}")
    table = schema.predictions
    more = 0
    for chunk in chunked(prediction_ids):
        marked = (
            update(table)
            .where(table.c.prediction_id.in_(chunk), ~table.c.is_labelled)
            .values(is_labelled=True)
        )
        more += connection.execute(marked).rowcount
    if not more:
        return production_rows(connection, use_case), None
    # The counter's row stays locked until the commit: no multiple is crossed twice, none is missed.
    now = int(connection.execute(_RAISED, {"use_case": use_case, "more": more}).scalar_one())
    asked = None
    for multiple in range((now - more) // k + 1, now // k + 1):
        reason = f"{multiple * k} labelled production rows, a multiple of {k}"
        asked = request_run(connection, use_case, trigger="feedback", reason=reason, at_ms=at_ms).run_id
    return now, asked
