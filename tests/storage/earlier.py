"""What code of revision 0001 does: Bentos that carry it go on writing to the tables of today.

The statements are those of that code, written out; they change no more.
"""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from storage.database import Database
from storage.turns import take_turn
from tests.storage.rows import ROOT, USE_CASE, prediction

_PREDICTION = text(
    "INSERT INTO predictions (prediction_id, use_case, bento, predicted_at_ms, row_json, vector, label, "
    "probabilities_json, confidence, entity_id, event_time, origin, is_holdout, is_labelled) VALUES "
    "(:prediction_id, :use_case, :bento, :predicted_at_ms, :row_json, :vector, :label, :probabilities_json, "
    ":confidence, :entity_id, :event_time, :origin, :is_holdout, false) "
    "ON CONFLICT (prediction_id) DO NOTHING"
)
_SUPERSEDED = text(
    "UPDATE feedback SET superseded_at_ms = :at_ms WHERE use_case = :use_case AND "
    "prediction_id = :prediction_id AND superseded_at_ms IS NULL"
)
_FEEDBACK = text(
    "INSERT INTO feedback (use_case, prediction_id, target, source, key, received_at_ms, state, "
    "superseded_at_ms) VALUES (:use_case, :prediction_id, :target, :source, NULL, :at_ms, :state, NULL)"
)
_MARKED = text("UPDATE predictions SET is_labelled = true WHERE prediction_id = :name AND NOT is_labelled")
_COUNTED = text(
    "INSERT INTO counters (use_case, production_rows) VALUES (:use_case, :more) ON CONFLICT (use_case) "
    "DO UPDATE SET production_rows = counters.production_rows + excluded.production_rows "
    "RETURNING production_rows"
)
_JOINED = text(
    "UPDATE feedback SET state = 'joined' WHERE use_case = :use_case AND state = 'pending' AND "
    "prediction_id = :prediction_id"
)
_RUN = text(
    "INSERT INTO runs (run_id, use_case, state, trigger, reason, requested_at_ms, as_of) VALUES "
    "(:run_id, :use_case, 'requested', 'feedback', 'a multiple of 1', :at_ms, NULL)"
)
_VERSION = text(
    "INSERT INTO versions (tag, use_case, model_tag, stage, created_at_ms, run_id, parent, data_digest, "
    "candidate, scores_json, as_of) VALUES (:tag, :use_case, 'm', 'None', 1, NULL, NULL, 'd', 'forest', "
    "'{}', NULL)"
)


def migrate_to_0001(database: Database) -> None:
    """The tables as code of revision 0001 makes them."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "storage" / "migrations"))
    with database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")


def log(connection: Connection, name: str) -> None:
    """Stores an answer, and joins the feedback that waited for it."""
    take_turn(connection, USE_CASE)
    connection.execute(_PREDICTION, prediction(name)._asdict())
    if connection.execute(_JOINED, {"use_case": USE_CASE, "prediction_id": name}).rowcount:
        count(connection, name)


def tell(connection: Connection, name: str, target: str, *, at_ms: int, source: str | None = "clinic") -> int:
    """Stores a true answer and counts its prediction; gives the counter, 0 where that is not stored."""
    return count(connection, name) if store(connection, name, target, at_ms=at_ms, source=source) else 0


def store(
    connection: Connection, name: str, target: str, *, at_ms: int, source: str | None = "clinic"
) -> bool:
    """Stores a true answer without counting: the first half of `tell`. Whether its prediction is stored."""
    take_turn(connection, USE_CASE, alone=True)
    stored = connection.scalar(
        text("SELECT count(*) FROM predictions WHERE prediction_id = :name"), {"name": name}
    )
    values = {"use_case": USE_CASE, "prediction_id": name, "target": target, "at_ms": at_ms}
    connection.execute(_SUPERSEDED, {name: values[name] for name in ("use_case", "prediction_id", "at_ms")})
    connection.execute(_FEEDBACK, values | {"source": source, "state": "joined" if stored else "pending"})
    return bool(stored)


def build(connection: Connection, tag: str) -> None:
    """Enters a version."""
    connection.execute(_VERSION, {"tag": tag, "use_case": USE_CASE})


def request(connection: Connection, run_id: str) -> None:
    """Asks for a training run."""
    connection.execute(_RUN, {"run_id": run_id, "use_case": USE_CASE, "at_ms": 1})


def count(connection: Connection, name: str) -> int:
    """Counts a labelled prediction once; gives the counter."""
    more = connection.execute(_MARKED, {"name": name}).rowcount
    return int(connection.execute(_COUNTED, {"use_case": USE_CASE, "more": more}).scalar_one())
