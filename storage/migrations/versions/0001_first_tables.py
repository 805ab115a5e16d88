"""The first tables: predictions, feedback, counters, versions, stage_changes, runs, secrets."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "counters",
        sa.Column("use_case", sa.Text(), nullable=False),
        sa.Column("production_rows", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("use_case", name="pk_counters"),
    )
    op.create_table(
        "feedback",
        sa.Column("feedback_id", COUNTED, autoincrement=True, nullable=False),
        sa.Column("use_case", sa.Text(), nullable=False),
        sa.Column("prediction_id", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("superseded_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("feedback_id", name="pk_feedback"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_feedback_prediction", "feedback", ["prediction_id"], unique=False)
    op.create_index(
        "ix_feedback_state", "feedback", ["use_case", "state", "received_at_ms", "feedback_id"], unique=False
    )
    op.create_index(
        "uq_feedback_key",
        "feedback",
        ["use_case", "key"],
        unique=True,
        sqlite_where=sa.text("key IS NOT NULL"),
        postgresql_where=sa.text("key IS NOT NULL"),
    )
    op.create_table(
        "predictions",
        sa.Column("prediction_id", sa.Text(), nullable=False),
        sa.Column("use_case", sa.Text(), nullable=False),
        sa.Column("bento", sa.Text(), nullable=False),
        sa.Column("predicted_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("row_json", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("probabilities_json", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("entity_id", sa.Text(), nullable=True),
        sa.Column("event_time", sa.Text(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("is_holdout", sa.Boolean(), nullable=False),
        sa.Column("is_labelled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("prediction_id", name="pk_predictions"),
    )
    op.create_index(
        "ix_predictions_entity",
        "predictions",
        ["use_case", "entity_id"],
        unique=False,
        sqlite_where=sa.text("entity_id IS NOT NULL"),
        postgresql_where=sa.text("entity_id IS NOT NULL"),
    )
    op.create_index("ix_predictions_time", "predictions", ["use_case", "predicted_at_ms"], unique=False)
    op.create_index(
        "ix_predictions_unlabelled",
        "predictions",
        ["use_case", "predicted_at_ms"],
        unique=False,
        sqlite_where=sa.text("is_labelled = 0"),
        postgresql_where=sa.text("NOT is_labelled"),
    )
    op.create_table(
        "runs",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("use_case", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("finished_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("as_of", sa.Text(), nullable=True),
        sa.Column("parameters_json", sa.Text(), nullable=True),
        sa.Column("scores_json", sa.Text(), nullable=True),
        sa.Column("rows_json", sa.Text(), nullable=True),
        sa.Column("data_digest", sa.Text(), nullable=True),
        sa.Column("code_revision", sa.Text(), nullable=True),
        sa.Column("libraries_json", sa.Text(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("peak_memory_bytes", sa.BigInteger(), nullable=True),
        sa.Column("verdict_json", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("bento", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", name="pk_runs"),
    )
    op.create_index("ix_runs_state", "runs", ["use_case", "state", "requested_at_ms"], unique=False)
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_secrets"),
    )
    op.create_table(
        "versions",
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("use_case", sa.Text(), nullable=False),
        sa.Column("model_tag", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.Column("data_digest", sa.Text(), nullable=False),
        sa.Column("candidate", sa.Text(), nullable=False),
        sa.Column("scores_json", sa.Text(), nullable=False),
        sa.Column("as_of", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tag", name="pk_versions"),
    )
    op.create_index("ix_versions_time", "versions", ["use_case", "created_at_ms"], unique=False)
    op.create_index(
        "uq_versions_production",
        "versions",
        ["use_case"],
        unique=True,
        sqlite_where=sa.text("stage = 'Production'"),
        postgresql_where=sa.text("stage = 'Production'"),
    )
    op.create_table(
        "stage_changes",
        sa.Column("id", COUNTED, autoincrement=True, nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("use_case", sa.Text(), nullable=False),
        sa.Column("from_stage", sa.Text(), nullable=False),
        sa.Column("to_stage", sa.Text(), nullable=False),
        sa.Column("changed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tag"], ["versions.tag"], name="fk_stage_changes_tag"),
        sa.PrimaryKeyConstraint("id", name="pk_stage_changes"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_stage_changes_use_case", "stage_changes", ["use_case", "id"], unique=False)
