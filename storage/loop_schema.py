"""The tables of the loop: what was judged, decided, promoted, set aside, and by which process."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, Table, Text, false

from storage.columns import COUNTED, metadata

verdicts = Table(
    "verdicts",
    metadata,
    Column("verdict_id", COUNTED, primary_key=True, autoincrement=True),
    Column("run_id", Text, nullable=False),
    Column("use_case", Text, nullable=False),
    Column("champion", Text),  # tag; empty where nothing was in Production
    Column("challenger", Text, nullable=False),  # its kind: 'fresh', 'recent', …
    Column("bento", Text),  # tag, where one was built of it
    Column("decision", Text, nullable=False),  # see storage.verdicts.Ruling
    Column("difference", Double),
    Column("low", Double),
    Column("high", Double),
    Column("rows", BigInteger, nullable=False),
    Column("look", Integer, nullable=False),
    Column("alpha", Double, nullable=False),
    Column("labels_wanted", BigInteger),
    Column("reason", Text, nullable=False),
    Column("scores_json", Text, nullable=False),
    Column("policy_json", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
Index("ix_verdicts_run", verdicts.c.run_id, verdicts.c.verdict_id)
Index("ix_verdicts_champion", verdicts.c.use_case, verdicts.c.champion)

promotions = Table(
    "promotions",
    metadata,
    Column("promotion_id", COUNTED, primary_key=True, autoincrement=True),
    Column("use_case", Text, nullable=False),
    Column("tag", Text, nullable=False),
    Column("previous", Text),  # the champion it took over from
    Column("kind", Text, nullable=False),  # see storage.promotions.Kind
    Column("state", Text, nullable=False),  # see storage.promotions.PromotionState
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_at_ms", BigInteger, nullable=False),
    Column("started_at_ms", BigInteger),
    Column("accepted_at_ms", BigInteger),
    Column("finished_at_ms", BigInteger),
    Column("error", Text),
    sqlite_autoincrement=True,
)
Index("ix_promotions_state", promotions.c.use_case, promotions.c.state, promotions.c.promotion_id)

automation_changes = Table(
    "automation_changes",
    metadata,
    Column("change_id", COUNTED, primary_key=True, autoincrement=True),
    Column("use_case", Text, nullable=False),
    Column("change", Text, nullable=False),  # see storage.automation.Change
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
Index("ix_automation_changes_use_case", automation_changes.c.use_case, automation_changes.c.change_id)

decisions = Table(
    "decisions",
    metadata,
    Column("decision_id", COUNTED, primary_key=True, autoincrement=True),
    Column("use_case", Text, nullable=False),
    Column("kind", Text, nullable=False),  # see storage.decisions.Kind
    Column("decision", Text, nullable=False),  # see storage.decisions.Action
    Column("sentence", Text, nullable=False),
    Column("numbers_json", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("run_id", Text),  # the training run it led to
    Column("was_paused", Boolean, nullable=False, server_default=false()),  # automation, when it was made
    sqlite_autoincrement=True,
)
Index("ix_decisions_use_case", decisions.c.use_case, decisions.c.decision_id)

suspensions = Table(
    "suspensions",
    metadata,
    Column("suspension_id", COUNTED, primary_key=True, autoincrement=True),
    Column("use_case", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),  # its rows known since then were set aside with it
    Column("suspended_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),  # when a person released or discarded it
    Column("actor", Text),  # that person
    sqlite_autoincrement=True,
)
Index(
    "uq_suspensions_open",
    suspensions.c.use_case,
    suspensions.c.source,
    unique=True,
    sqlite_where=suspensions.c.ended_at_ms.is_(None),
    postgresql_where=suspensions.c.ended_at_ms.is_(None),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("quarantine_id", COUNTED, primary_key=True, autoincrement=True),
    Column("use_case", Text, nullable=False),
    # No foreign key: an older Bento deletes feedback without knowing this table.
    Column("feedback_id", BigInteger, nullable=False),
    Column("suspension_id", BigInteger),  # empty: set aside by itself
    Column("reason", Text, nullable=False),
    Column("is_held", Boolean, nullable=False),  # True: it had taken no part before
    Column("quarantined_at_ms", BigInteger, nullable=False),
    Column("released_at_ms", BigInteger),
    Column("discarded_at_ms", BigInteger),
    Column("actor", Text),  # who released or discarded it
    sqlite_autoincrement=True,
)
Index("ix_quarantine_feedback", quarantine.c.feedback_id)
Index(
    "ix_quarantine_open",
    quarantine.c.use_case,
    quarantine.c.quarantine_id,
    sqlite_where=quarantine.c.released_at_ms.is_(None) & quarantine.c.discarded_at_ms.is_(None),
    postgresql_where=quarantine.c.released_at_ms.is_(None) & quarantine.c.discarded_at_ms.is_(None),
)

processes = Table(
    "processes",
    metadata,
    Column("use_case", Text, primary_key=True),
    # 'trainer HOST', 'reporter HOST', 'annotator HOST:PID', 'supervisor' (the leading one),
    # 'supervisor HOLDER' (one that follows)
    Column("name", Text, primary_key=True),
    Column("pid", BigInteger, nullable=False),
    Column("host", Text, nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("beat_at_ms", BigInteger, nullable=False),
    Column("bento", Text),  # a supervisor's: the tag that answers on its host
)

leaders = Table(
    "leaders",
    metadata,
    Column("use_case", Text, primary_key=True),
    Column("term", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),  # empty: it has left
    Column("machine", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("beats", BigInteger, nullable=False),
)
