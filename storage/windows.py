"""Answers of a stretch of time with the truths that count by now, read page by page.

Pages are transactions of their own: a reading of a million rows does not keep SQLite from tidying its log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from storage import schema
from storage.counters import last_known_at_ms
from storage.database import Database
from storage.labelled import has_later, takes_part

_STORED = schema.predictions
_TOLD = schema.feedback


class AnsweredRow(NamedTuple):
    """One answer with its truth, where that is known."""

    prediction_id: str
    bento: str
    predicted_at_ms: int
    row_json: str
    label: str
    probabilities_json: str
    entity_id: str | None
    target: str | None
    """The newest true answer that takes part; None: none does (yet)."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one use case's answers."""

    use_case: str
    from_ms: int
    from_id: str
    """Of the answers of `from_ms` those from this prediction id on; '': all of them."""
    before_ms: int
    """The first instant after it."""


def span_between(use_case: str, from_ms: int, before_ms: int) -> Span:
    """The answers from one instant until before another."""
    return Span(use_case, from_ms, "", before_ms)


def span_of_newest(connection: Connection, use_case: str, rows: int) -> Span | None:
    """The newest `rows` answers, or all where there are fewer; None: there is none."""
    columns = (_STORED.c.predicted_at_ms, _STORED.c.prediction_id)
    of_use_case = select(*columns).where(_STORED.c.use_case == use_case)
    newest_first = of_use_case.order_by(*(column.desc() for column in columns))
    newest = connection.execute(newest_first.limit(1)).first()
    if newest is None:
        return None
    first = connection.execute(newest_first.limit(1).offset(rows - 1)).first()
    if first is None:
        first = connection.execute(of_use_case.order_by(*columns).limit(1)).one()
    return Span(use_case, first.predicted_at_ms, first.prediction_id, newest.predicted_at_ms + 1)


def rows_of_span(connection: Connection, span: Span) -> int:
    """How many answers a span holds."""
    counted = select(func.count()).select_from(_STORED).where(*_within(span, None))
    return int(connection.execute(counted).scalar_one())


def answered_rows(database: Database, span: Span, *, page: int = 5_000) -> Iterator[list[AnsweredRow]]:
    """The answers of a span, oldest first, in lists of at most `page`.

    An answer whose truth is in quarantine counts as one whose truth is not known; where its row came
    together with that truth, it is left out. A correction counts in its truth's place.
    """
    after: tuple[int, str] | None = None
    while True:
        with database.reading() as connection:
            wanted = _answered(span, last_known_at_ms(connection, span.use_case), after).limit(page)
            found = [AnsweredRow(*row) for row in connection.execute(wanted)]
        if found:
            yield found
        if len(found) < page:
            return
        after = (found[-1].predicted_at_ms, found[-1].prediction_id)


def first_answer_ms(connection: Connection, use_case: str) -> int | None:
    """When the oldest stored answer was given; None: there is none."""
    first = select(func.min(_STORED.c.predicted_at_ms)).where(_STORED.c.use_case == use_case)
    at_ms: int | None = connection.scalar(first)
    return at_ms


def answers_since(connection: Connection, use_case: str, since_ms: int, most: int) -> int:
    """How many answers came after an instant; counted no further than `most`."""
    later = (_STORED.c.use_case == use_case, _STORED.c.predicted_at_ms > since_ms)
    some = select(_STORED.c.predicted_at_ms).where(*later).limit(most).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


def _answered(span: Span, last_ms: int, after: tuple[int, str] | None) -> Select[tuple[object, ...]]:
    counts = and_(
        _TOLD.c.prediction_id == _STORED.c.prediction_id,
        takes_part(_TOLD, span.use_case, None, last_ms),
        _TOLD.c.superseded_at_ms.is_(None) | ~has_later(span.use_case, None, last_ms),
    )
    columns = [_STORED.c[name] for name in AnsweredRow._fields[:-1]]
    came_alone = (_STORED.c.origin != "feedback") | _TOLD.c.feedback_id.is_not(None)
    return (
        select(*columns, _TOLD.c.target)
        .join_from(_STORED, _TOLD, counts, isouter=True)
        .where(*_within(span, after), came_alone)
        .order_by(_STORED.c.predicted_at_ms, _STORED.c.prediction_id)
    )


def _within(span: Span, after: tuple[int, str] | None) -> tuple[ColumnElement[bool], ...]:
    at_ms, name = _STORED.c.predicted_at_ms, _STORED.c.prediction_id
    if after is None:
        begun = (at_ms > span.from_ms) | (name >= span.from_id)
        first_ms = span.from_ms
    else:
        begun = (at_ms > after[0]) | (name > after[1])
        first_ms = after[0]
    # The bound alone, too, so that the index is entered there.
    return (_STORED.c.use_case == span.use_case, at_ms >= first_ms, at_ms < span.before_ms, begun)
