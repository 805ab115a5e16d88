"""Pause, suspended promotion, resume."""

from __future__ import annotations

from storage.automation import Automation, automation, pause, resume, suspend_promotion
from storage.database import Database
from tests.storage.rows import USE_CASE


def test_nothing_is_paused_where_nobody_said_so(database: Database) -> None:
    with database.writing() as connection:
        pause(connection, "other", actor="ana", reason="holidays", at_ms=1)
        assert automation(connection, USE_CASE) == Automation(False, None, False, None, None, None)


def test_a_pause_lasts_until_it_is_resumed(database: Database) -> None:
    with database.writing() as connection:
        pause(connection, USE_CASE, actor="ana", reason="holidays", at_ms=10)
        pause(connection, USE_CASE, actor="rui", reason="still", at_ms=20)
        assert automation(connection, USE_CASE) == Automation(True, 10, False, None, "rui", "still")
        resume(connection, USE_CASE, actor="ana", reason="back", at_ms=30)
        assert automation(connection, USE_CASE) == Automation(False, None, False, None, "ana", "back")
        pause(connection, USE_CASE, actor="ana", reason="again", at_ms=40)
        assert automation(connection, USE_CASE).paused_since_ms == 40


def test_a_resume_ends_a_suspended_promotion_and_a_pause(database: Database) -> None:
    with database.writing() as connection:
        suspend_promotion(connection, USE_CASE, actor="ana", reason="rolled back", at_ms=10)
        state = automation(connection, USE_CASE)
        assert (state.is_paused, state.promotion_is_suspended, state.suspended_since_ms) == (False, True, 10)
        pause(connection, USE_CASE, actor="ana", reason="holidays", at_ms=20)
        assert automation(connection, USE_CASE) == Automation(True, 20, True, 10, "ana", "holidays")
        resume(connection, USE_CASE, actor="ana", reason="back", at_ms=30)
        state = automation(connection, USE_CASE)
        assert not state.is_paused and not state.promotion_is_suspended
