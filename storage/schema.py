"""The tables. Times are integer milliseconds since the epoch, UTC, in columns named `…_ms`.

The migrations make these tables; a test holds the two to each other. Text that is JSON is kept as text:
it is written once, read back whole, and never searched.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from storage.columns import COUNTED
from storage.columns import metadata as metadata
from storage.loop_schema import automation_changes as automation_changes
from storage.loop_schema import decisions as decisions
from storage.loop_schema import leaders as leaders
from storage.loop_schema import processes as processes
from storage.loop_schema import promotions as promotions
from storage.loop_schema import quarantine as quarantine
from storage.loop_schema import suspensions as suspensions
from storage.loop_schema import verdicts as verdicts
from storage.report_schema import reports as reports

#: Every revision, oldest first. Known here too, so that a database at the last one costs no Alembic import.
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")

predictions = Table(
    "predictions",
    metadata,
    Column("prediction_id", Text, primary_key=True),
    Column("use_case", Text, nullable=False),
    Column("bento", Text, nullable=False),
    Column("predicted_at_ms", BigInteger, nullable=False),
    Column("row_json", Text, nullable=False),
    Column("vector", LargeBinary, nullable=False),  # float32, little endian
    Column("label", Text, nullable=False),
    Column("probabilities_json", Text, nullable=False),
    Column("confidence", Double, nullable=False),
    Column("entity_id", Text),
    Column("event_time", Text),
    Column("origin", Text, nullable=False),  # 'request', or 'feedback': came whole with its true answer
    Column("is_holdout", Boolean, nullable=False),
    # True from the first joined feedback on; the switch is what counts a production row exactly once.
    Column("is_labelled", Boolean, nullable=False),
)
Index("ix_predictions_time", predictions.c.use_case, predictions.c.predicted_at_ms)
Index(
    "ix_predictions_entity",
    predictions.c.use_case,
    predictions.c.entity_id,
    sqlite_where=predictions.c.entity_id.is_not(None),
    postgresql_where=predictions.c.entity_id.is_not(None),
)
Index(
    "ix_predictions_unlabelled",
    predictions.c.use_case,
    predictions.c.predicted_at_ms,
    sqlite_where=~predictions.c.is_labelled,
    postgresql_where=~predictions.c.is_labelled,
)

feedback = Table(
    "feedback",
    metadata,
    Column("feedback_id", COUNTED, primary_key=True, autoincrement=True),
    Column("use_case", Text, nullable=False),
    # No foreign key: feedback may be here before its prediction is.
    Column("prediction_id", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("source", Text),
    Column("key", Text),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("state", Text, nullable=False),  # see storage.feedback.FeedbackState
    # When a later feedback on its prediction arrived or was released. Empty: there is none. Which of several
    # counts at an instant follows from known_at_ms, the ids and the quarantine: see storage.labelled.
    Column("superseded_at_ms", BigInteger),
    # When both it and its prediction were stored; empty before, and where code of revision 0001 joined them.
    Column("known_at_ms", BigInteger),
    sqlite_autoincrement=True,  # an erased feedback's number is not given out again
)
Index("ix_feedback_prediction", feedback.c.prediction_id)
Index(
    "ix_feedback_state",
    feedback.c.use_case,
    feedback.c.state,
    feedback.c.received_at_ms,
    feedback.c.feedback_id,
)
Index("ix_feedback_known", feedback.c.use_case, feedback.c.known_at_ms, feedback.c.feedback_id)
Index(
    "uq_feedback_key",
    feedback.c.use_case,
    feedback.c.key,
    unique=True,
    sqlite_where=feedback.c.key.is_not(None),
    postgresql_where=feedback.c.key.is_not(None),
)

counters = Table(
    "counters",
    metadata,
    Column("use_case", Text, primary_key=True),
    # Predictions ever labelled. Erasing rows does not lower it: a multiple of k would be crossed twice.
    Column("production_rows", BigInteger, nullable=False),
    # The newest instant at which anything about labels changed; the next change is never before it.
    Column("last_known_at_ms", BigInteger),
)

versions = Table(
    "versions",
    metadata,
    Column("tag", Text, primary_key=True),
    Column("use_case", Text, nullable=False),
    Column("model_tag", Text, nullable=False),
    Column("stage", Text, nullable=False),  # see storage.versions.Stage
    Column("created_at_ms", BigInteger, nullable=False),
    Column("run_id", Text),
    Column("parent", Text),
    Column("data_digest", Text, nullable=False),
    Column("candidate", Text, nullable=False),
    Column("scores_json", Text, nullable=False),
    Column("as_of", Text),
    Column("recipe_json", Text),
    Column("files_removed_at_ms", BigInteger),
)
Index("ix_versions_time", versions.c.use_case, versions.c.created_at_ms)
Index(
    "uq_versions_production",
    versions.c.use_case,
    unique=True,
    sqlite_where=versions.c.stage == "Production",
    postgresql_where=versions.c.stage == "Production",
)

stage_changes = Table(
    "stage_changes",
    metadata,
    Column("id", COUNTED, primary_key=True, autoincrement=True),
    Column("tag", Text, ForeignKey("versions.tag"), nullable=False),
    Column("use_case", Text, nullable=False),
    Column("from_stage", Text, nullable=False),
    Column("to_stage", Text, nullable=False),
    Column("changed_at_ms", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    sqlite_autoincrement=True,
)
Index("ix_stage_changes_use_case", stage_changes.c.use_case, stage_changes.c.id)

runs = Table(
    "runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("use_case", Text, nullable=False),
    Column("state", Text, nullable=False),  # see storage.runs.State
    Column("trigger", Text, nullable=False),  # 'feedback', 'person', 'first', …
    Column("reason", Text, nullable=False),
    Column("requested_at_ms", BigInteger, nullable=False),
    Column("started_at_ms", BigInteger),
    Column("finished_at_ms", BigInteger),
    Column("as_of", Text),
    Column("parameters_json", Text),
    Column("scores_json", Text),
    Column("rows_json", Text),
    Column("data_digest", Text),
    Column("code_revision", Text),
    Column("libraries_json", Text),
    Column("seconds", Double),
    Column("peak_memory_bytes", BigInteger),
    Column("verdict_json", Text),
    Column("error", Text),
    Column("bento", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("claimed_by", Text),
    Column("beat_at_ms", BigInteger),
    Column("instant_ms", BigInteger),
    Column("progress_json", Text),
    Column("mode", Text),
)
Index("ix_runs_state", runs.c.use_case, runs.c.state, runs.c.requested_at_ms)

# Of the installation, not of one use case.
secrets = Table(
    "secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
