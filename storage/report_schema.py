"""The table of reports on the model's health."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from storage.columns import metadata

reports = Table(
    "reports",
    metadata,
    Column("report_id", Text, primary_key=True),
    Column("use_case", Text, nullable=False),
    Column("trigger", Text, nullable=False),  # see storage.reports.Trigger
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),  # see storage.reports.ReportState
    Column("asked_json", Text, nullable=False),
    Column("name", Text),
    Column("bento", Text),  # tag of the champion that was looked at
    Column("decision", Text),  # see storage.decisions.Action
    Column("sentence", Text),
    Column("decision_id", BigInteger),
    Column("numbers_json", Text, nullable=False),
    Column("html", Text),  # path, from REBENTO_HOME on
    Column("json", Text),
    Column("requested_at_ms", BigInteger, nullable=False),
    Column("started_at_ms", BigInteger),
    Column("ended_at_ms", BigInteger),
    Column("error", Text),
    Column("claimed_by", Text),
    Column("beat_at_ms", BigInteger),
    Column("attempts", Integer, nullable=False),
)
Index("ix_reports_time", reports.c.use_case, reports.c.requested_at_ms, reports.c.report_id)
Index("ix_reports_state", reports.c.use_case, reports.c.state, reports.c.requested_at_ms)
