"""The log of answers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select, update

from storage import schema
from storage.counters import chunked, count_labelled
from storage.turns import take_turn


class Prediction(NamedTuple):
    """One answered row, as it is stored. A tuple, so that the hot path hands it on as it is."""

    prediction_id: str
    use_case: str
    bento: str
    predicted_at_ms: int
    row_json: str
    """The row as it was sent, a JSON object."""
    vector: bytes
    """The embedding: float32, little endian, one after the other."""
    label: str
    probabilities_json: str
    """A JSON object: class -> probability."""
    confidence: float
    """The largest probability, 0 to 1."""
    entity_id: str | None
    event_time: str | None
    origin: str
    """'request', or 'feedback' for a row that came whole with its true answer."""
    is_holdout: bool


_NAMES = Prediction._fields
#: In the order of the fields.
COLUMNS = [schema.predictions.c[name] for name in _NAMES]


def _statements(mark: str) -> tuple[str, str]:
    """The two statements of every logged group, written out: compiling them anew costs more than they do."""
    marks = ", ".join([mark] * len(_NAMES))
    return (
        f"INSERT INTO predictions ({', '.join(_NAMES)}, is_labelled) VALUES ({marks}, false) "
        "ON CONFLICT (prediction_id) DO NOTHING",
        f"SELECT 1 FROM feedback WHERE use_case = {mark} AND state = 'pending' LIMIT 1",
    )


_STATEMENTS = {"sqlite": _statements("?"), "postgresql": _statements("%s")}

#: Rows of one SQLite statement. One step stores them all, and lets go of Python's lock once: a step a row
#: would make the event loop's thread hand the lock over, and wait for it, at every row.
_MOST_ROWS = 64


@cache
def _insertion_of(rows: int) -> str:
    """SQLite's insertion of so many rows: powers of two alone, so that it knows every one of them."""
    marks = f"({', '.join('?' * len(_NAMES))}, false)"
    return (
        f"INSERT INTO predictions ({', '.join(_NAMES)}, is_labelled) VALUES {', '.join([marks] * rows)} "
        "ON CONFLICT (prediction_id) DO NOTHING"
    )


def record_predictions(connection: Connection, predictions: Sequence[Prediction], k: int) -> int:
    """Stores answers, joins the feedback that waited for them, and says how many answers were new.

    An id that is stored already is left as it is. Feedback that is joined here counts as if it arrived
    now: each multiple of k crossed asks for a training run. An empty sequence does nothing.
    """
    inserted = insert_predictions(connection, predictions)
    _, any_pending = _STATEMENTS[connection.dialect.name]
    for use_case in sorted({prediction.use_case for prediction in predictions}):
        if connection.exec_driver_sql(any_pending, (use_case,)).first() is not None:
            _join_pending(connection, use_case, [p for p in predictions if p.use_case == use_case], k)
    return inserted


def insert_predictions(connection: Connection, predictions: Sequence[Prediction]) -> int:
    """Stores answers and no more; `record_predictions` is what callers want."""
    if not predictions:
        return 0
    for use_case in sorted({prediction.use_case for prediction in predictions}):
        take_turn(connection, use_case)
    if connection.dialect.name == "postgresql":
        insertion, _ = _STATEMENTS["postgresql"]
        return connection.exec_driver_sql(insertion, list(predictions)).rowcount
    inserted = start = 0
    while start < len(predictions):
        size = min(_MOST_ROWS, 1 << ((len(predictions) - start).bit_length() - 1))
        values = tuple(chain.from_iterable(predictions[start : start + size]))
        inserted += connection.exec_driver_sql(_insertion_of(size), values).rowcount
        start += size
    return inserted


def _join_pending(connection: Connection, use_case: str, predictions: Sequence[Prediction], k: int) -> None:
    table = schema.feedback
    waited: dict[str, int] = {}
    for chunk in chunked([prediction.prediction_id for prediction in predictions]):
        received = connection.execute(
            select(table.c.prediction_id, func.max(table.c.received_at_ms))
            .where(*_waiting_for(use_case, chunk))
            .group_by(table.c.prediction_id)
        )
        waited.update((prediction_id, latest) for prediction_id, latest in received)
    if not waited:
        return
    now_ms = max(max(waited.values()), max(p.predicted_at_ms for p in predictions))
    counted = count_labelled(connection, use_case, waited, k=k, at_ms=now_ms)
    for chunk in chunked(waited):
        joined = update(table).where(*_waiting_for(use_case, chunk))
        connection.execute(joined.values(state="joined", known_at_ms=counted.known_at_ms))


def _waiting_for(use_case: str, prediction_ids: Sequence[str]) -> tuple[ColumnElement[bool], ...]:
    table = schema.feedback
    return (
        table.c.use_case == use_case,
        table.c.state == "pending",
        table.c.prediction_id.in_(prediction_ids),
    )


def find_prediction(connection: Connection, prediction_id: str) -> Prediction | None:
    """The stored answer of this id."""
    found = select(*COLUMNS).where(schema.predictions.c.prediction_id == prediction_id)
    row = connection.execute(found).first()
    return None if row is None else Prediction(*row)


def predictions_of_entity(connection: Connection, use_case: str, entity_id: str) -> tuple[Prediction, ...]:
    """Every stored answer about one entity, oldest first."""
    table = schema.predictions
    found = (
        select(*COLUMNS)
        .where(table.c.use_case == use_case, table.c.entity_id == entity_id)
        .order_by(table.c.predicted_at_ms, table.c.prediction_id)
    )
    return tuple(Prediction(*row) for row in connection.execute(found))
