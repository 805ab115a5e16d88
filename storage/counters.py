"""The counter of labelled production rows, and the training runs that its multiples of k ask for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection, text, update

from storage import schema
from storage.runs import request_run

Item = TypeVar("Item")

#: Values of one IN list: far below what SQLite (32,766) and PostgreSQL (65,535) take.
_IN_LIST = 500

_HIGHER = (
    "CASE WHEN counters.last_known_at_ms >= excluded.last_known_at_ms THEN counters.last_known_at_ms "
    "ELSE excluded.last_known_at_ms END"
)


def _raising(mark: str) -> str:
    # Written out: every call of feedback does this, and SQLAlchemy's own way costs as much again.
    return (
        f"INSERT INTO counters (use_case, production_rows, last_known_at_ms) VALUES ({mark}, {mark}, {mark}) "
        "ON CONFLICT (use_case) DO UPDATE SET "
        "production_rows = counters.production_rows + excluded.production_rows, "
        f"last_known_at_ms = {_HIGHER} RETURNING production_rows, last_known_at_ms"
    )


_RAISING = {"sqlite": _raising("?"), "postgresql": _raising("%s")}
_LAST_KNOWN = text("SELECT last_known_at_ms FROM counters WHERE use_case = :use_case")
_STANDING = text("SELECT production_rows FROM counters WHERE use_case = :use_case")


def chunked(items: Collection[Item]) -> Iterator[Sequence[Item]]:
    """The items in lists short enough for an IN."""
    rest = iter(items)
    while chunk := list(islice(rest, _IN_LIST)):
        yield chunk


def production_rows(connection: Connection, use_case: str) -> int:
    """How many predictions of a use case were ever labelled."""
    return int(connection.execute(_STANDING, {"use_case": use_case}).scalar() or 0)


def last_known_at_ms(connection: Connection, use_case: str) -> int:
    """The newest instant at which anything about a use case's labels changed; 0: nothing ever did."""
    return int(connection.execute(_LAST_KNOWN, {"use_case": use_case}).scalar() or 0)


def known_instant(connection: Connection, use_case: str, at_ms: int) -> int:
    """The instant of a change to labels: `at_ms`, or the last change's where that was later.

    The counter's row is locked until the commit, so instants never run backwards in the order of commits.
    """
    _, known_ms = _raise_counter(connection, use_case, 0, at_ms)
    return known_ms


class Counted(NamedTuple):
    """What counting came to."""

    production_rows: int
    known_at_ms: int
    """The instant from which on what was counted is known."""
    training_run: str | None
    """The last training run asked for; None: no multiple of k was crossed."""


def count_labelled(
    connection: Connection, use_case: str, prediction_ids: Collection[str], *, k: int, at_ms: int
) -> Counted:
    """Marks stored predictions as labelled and counts those that were not before.

    A step over several multiples of k asks for one training run each. Raises ValueError where k < 1.
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
    # The counter's row stays locked until the commit: no multiple is crossed twice, none is missed.
    now, known_ms = _raise_counter(connection, use_case, more, at_ms)
    asked = None
    # A millisecond apart: the trainer does the newest request, which is to be the one that is told of here.
    for place, multiple in enumerate(range((now - more) // k + 1, now // k + 1)):
        reason = f"{multiple * k} labelled production rows, a multiple of {k}"
        run = request_run(connection, use_case, trigger="feedback", reason=reason, at_ms=at_ms + place)
        asked = run.run_id
    return Counted(now, known_ms, asked)


def _raise_counter(connection: Connection, use_case: str, more: int, at_ms: int) -> tuple[int, int]:
    statement = _RAISING[connection.dialect.name]
    rows, known_ms = connection.exec_driver_sql(statement, (use_case, more, at_ms)).one()
    return int(rows), int(known_ms)
