"""The loop: when labels are known, quarantine, verdicts, promotions, decisions, automation, processes.

Bentos of revision 0001 go on writing: every new column is empty or has a default.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("feedback", sa.Column("known_at_ms", sa.BigInteger(), nullable=True))
    op.add_column("counters", sa.Column("last_known_at_ms", sa.BigInteger(), nullable=True))
    op.add_column("versions", sa.Column("recipe_json", sa.Text(), nullable=True))
    op.add_column("versions", sa.Column("files_removed_at_ms", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("claimed_by", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("beat_at_ms", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("instant_ms", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("progress_json", sa.Text(), nullable=True))

    # What is there was known when it was received. Left empty it would count as known at the next change.
    op.execute("UPDATE feedback SET known_at_ms = received_at_ms WHERE state = 'joined'")
    op.execute(
        "UPDATE counters SET last_known_at_ms = "
        "(SELECT max(known_at_ms) FROM feedback WHERE feedback.use_case = counters.use_case)"
    )
    op.create_index("ix_feedback_known", "feedback", ["use_case", "known_at_ms", "feedback_id"], unique=False)

    op.create_table(
        "verdicts",
        sa.Column("verdict_id", COUNTED, autoincrement=True, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("use_case", sa.Text(), nullable=False),
        sa.Column("champion", sa.Text(), nullable=True),
        sa.Column("challenger", sa.Text(), nullable=False),
        sa.Column("bento", sa.Text(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("difference", sa.Double(), nullable=True),
        sa.Column("low", sa.Double(), nullable=True),
        sa.Column("high", sa.Double(), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("look", sa.Integer(), nullable=False),
        sa.Column("alpha", sa.Double(), nullable=False),
        sa.Column("labels_wanted", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("scores_json", sa.Text(), nullable=False),
        sa.Column("policy_json", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("verdict_id", name="pk_verdicts"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_verdicts_champion", "verdicts", ["use_case", "champion"], unique=False)
    op.create_index("ix_verdicts_run", "verdicts", ["run_id", "verdict_id"], unique=False)
    op.create_table(
        "promotions",
        sa.Column("promotion_id", COUNTED, autoincrement=True, nullable=False),
        sa.Column("use_case", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("accepted_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("finished_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("promotion_id", name="pk_promotions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_promotions_state", "promotions", ["use_case", "state", "promotion_id"], unique=False)
    op.create_table(
        "automation_changes",
        sa.Column("change_id", COUNTED, autoincrement=True, nullable=False),
        sa.Column("use_case", sa.Text(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("change_id", name="pk_automation_changes"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_automation_changes_use_case", "automation_changes", ["use_case", "change_id"], unique=False
    )
    op.create_table(
        "decisions",
        sa.Column("decision_id", COUNTED, autoincrement=True, nullable=False),
        sa.Column("use_case", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("numbers_json", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("decision_id", name="pk_decisions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_decisions_use_case", "decisions", ["use_case", "decision_id"], unique=False)
    op.create_table(
        "suspensions",
        sa.Column("suspension_id", COUNTED, autoincrement=True, nullable=False),
        sa.Column("use_case", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("suspended_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("suspension_id", name="pk_suspensions"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_suspensions_open",
        "suspensions",
        ["use_case", "source"],
        unique=True,
        sqlite_where=sa.text("ended_at_ms IS NULL"),
        postgresql_where=sa.text("ended_at_ms IS NULL"),
    )
    op.create_table(
        "quarantine",
        sa.Column("quarantine_id", COUNTED, autoincrement=True, nullable=False),
        sa.Column("use_case", sa.Text(), nullable=False),
        sa.Column("feedback_id", sa.BigInteger(), nullable=False),
        sa.Column("suspension_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("is_held", sa.Boolean(), nullable=False),
        sa.Column("quarantined_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("released_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("discarded_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("quarantine_id", name="pk_quarantine"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_quarantine_feedback", "quarantine", ["feedback_id"], unique=False)
    op.create_index(
        "ix_quarantine_open",
        "quarantine",
        ["use_case", "quarantine_id"],
        unique=False,
        sqlite_where=sa.text("released_at_ms IS NULL AND discarded_at_ms IS NULL"),
        postgresql_where=sa.text("released_at_ms IS NULL AND discarded_at_ms IS NULL"),
    )
    op.create_table(
        "processes",
        sa.Column("use_case", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("beat_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("use_case", "name", name="pk_processes"),
    )
