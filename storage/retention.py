"""What leaves the log: answers that nobody ever labelled, and everything about one person."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, exists, func, select

from storage import schema
from storage.turns import take_turn

_STORED = schema.predictions
_TOLD = schema.feedback


@dataclass(frozen=True, slots=True)
class Erasure:
    """What the erasure of one entity removed, and where traces may remain."""

    predictions: int
    feedback: int
    bentos: tuple[str, ...]
    """Tags, oldest first, of versions created after the entity's first labelled row: those may have
    learned from it."""


def prune_unlabelled(connection: Connection, use_case: str, older_than_ms: int, limit: int = 1_000) -> int:
    """Deletes the oldest predictions without feedback made before `older_than_ms`; says how many.

    At most `limit`, so that no other writer waits long: call it again, in a new transaction, until it
    gives less than `limit`. Those whose feedback waits in quarantine stay.
    """
    take_turn(connection, use_case, alone=True)
    # Feedback in quarantine may be released yet.
    waits = exists().where(_TOLD.c.prediction_id == _STORED.c.prediction_id, _TOLD.c.state == "held")
    oldest = (
        select(_STORED.c.prediction_id)
        .where(
            _STORED.c.use_case == use_case,
            _STORED.c.predicted_at_ms < older_than_ms,
            ~_STORED.c.is_labelled,
            ~waits,
        )
        .order_by(_STORED.c.predicted_at_ms)
        .limit(limit)
    )
    return connection.execute(delete(_STORED).where(_STORED.c.prediction_id.in_(oldest))).rowcount


def erase_entity(connection: Connection, use_case: str, entity_id: str) -> Erasure:
    """Deletes every prediction about one entity and all feedback on them, quarantined or not.

    The count of labelled production rows stays as it is. An entity never seen gives an empty Erasure.
    """
    take_turn(connection, use_case, alone=True)
    of_entity = (_STORED.c.use_case == use_case, _STORED.c.entity_id == entity_id)
    on_entity = exists().where(_STORED.c.prediction_id == _TOLD.c.prediction_id, *of_entity)
    first_ms = connection.scalar(
        select(func.min(_TOLD.c.received_at_ms)).where(_TOLD.c.state == "joined", on_entity)
    )
    bentos: tuple[str, ...] = ()
    if first_ms is not None:
        table = schema.versions
        later = (
            select(table.c.tag)
            .where(table.c.use_case == use_case, table.c.created_at_ms > first_ms)
            .order_by(table.c.created_at_ms, table.c.tag)
        )
        bentos = tuple(connection.scalars(later))
    set_aside = schema.quarantine.c.feedback_id
    connection.execute(
        delete(schema.quarantine).where(set_aside.in_(select(_TOLD.c.feedback_id).where(on_entity)))
    )
    feedback = connection.execute(delete(_TOLD).where(on_entity)).rowcount
    predictions = connection.execute(delete(_STORED).where(*of_entity)).rowcount
    return Erasure(predictions, feedback, bentos)
