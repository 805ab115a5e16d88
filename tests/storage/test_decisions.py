"""Decisions, and the training runs they lead to."""

from __future__ import annotations

from sqlalchemy import text

from storage.automation import pause, resume
from storage.database import Database
from storage.decisions import (
    Action,
    Kind,
    StoredDecision,
    act_on_decision,
    decisions,
    record_decision,
    waiting_decisions,
)
from tests.storage.rows import USE_CASE


def record(
    database: Database, decision: Action, *, kind: Kind = "quality", use_case: str = USE_CASE, at_ms: int = 1
) -> int:
    with database.writing() as connection:
        return record_decision(
            connection,
            use_case,
            kind=kind,
            decision=decision,
            sentence="auc fell",
            numbers_json='{"auc": 0.5}',
            at_ms=at_ms,
        )


def test_decisions_come_back_newest_first_and_by_kind(database: Database) -> None:
    first = record(database, "RETRAIN", at_ms=10)
    second = record(database, "NO_ACTION", kind="drift", at_ms=20)
    record(database, "RETRAIN", use_case="other")
    with database.reading() as connection:
        newest, oldest = decisions(connection, USE_CASE)
        assert oldest == StoredDecision(
            first, USE_CASE, "quality", "RETRAIN", "auc fell", '{"auc": 0.5}', 10, None
        )
        assert newest.decision_id == second
        assert decisions(connection, USE_CASE, kind="drift") == (newest,)
        assert decisions(connection, USE_CASE, limit=1) == (newest,)


def test_only_a_retrain_waits_and_leads_to_one_run(database: Database) -> None:
    first, second = record(database, "RETRAIN"), record(database, "RETRAIN", kind="drift")
    record(database, "INVESTIGATE", kind="suspicion")
    with database.writing() as connection:
        assert [one.decision_id for one in waiting_decisions(connection, USE_CASE)] == [first, second]
        assert act_on_decision(connection, first, "run 1")
        assert not act_on_decision(connection, first, "run 2")
        assert [one.decision_id for one in waiting_decisions(connection, USE_CASE)] == [second]
        assert decisions(connection, USE_CASE, kind="quality")[0].run_id == "run 1"


def test_a_retrain_of_a_pause_waits_for_nothing_also_when_that_ends(database: Database) -> None:
    before = record(database, "RETRAIN")
    with database.writing() as connection:
        pause(connection, USE_CASE, actor="ana", reason="audit", at_ms=2)
    record(database, "RETRAIN", kind="drift", at_ms=3)
    with database.writing() as connection:
        resume(connection, USE_CASE, actor="ana", reason="done", at_ms=4)
    after = record(database, "RETRAIN", at_ms=5)
    with database.reading() as connection:
        assert [one.decision_id for one in waiting_decisions(connection, USE_CASE)] == [before, after]
        assert [one.was_paused for one in decisions(connection, USE_CASE)] == [False, True, False]


def test_a_decision_that_code_of_revision_0002_enters_waits_as_before(database: Database) -> None:
    entered = text(
        "INSERT INTO decisions (use_case, kind, decision, sentence, numbers_json, at_ms) VALUES "
        "(:use_case, 'quality', 'RETRAIN', 'auc fell', '{}', 1)"
    )
    with database.writing() as connection:
        connection.execute(entered, {"use_case": USE_CASE})
        (waiting,) = waiting_decisions(connection, USE_CASE)
    assert not waiting.was_paused
