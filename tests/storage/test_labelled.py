"""Labelled rows: one order, one truth a prediction, and instants whose history does not change."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from storage.counters import production_rows
from storage.database import Database
from storage.labelled import labelled_rows, settled_instant
from tests.storage.rows import USE_CASE, finished, labelled, log, settled, tell, truth, writer


@pytest.mark.slow
def test_an_instant_read_twice_gives_the_same_rows_while_others_write(url: str, database: Database) -> None:
    churning = [writer("churn", url, name, "40") for name in ("p", "q")]  # so many rounds at least
    for process in churning:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in churning:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    seen: dict[int, list[tuple[str, str, int]]] = {}
    while len({len(rows) for rows in seen.values()}) < 20:
        assert all(process.poll() is None for process in churning), "they write until they are told to end"
        instant = settled(database)
        seen[instant] = labelled(database, as_of_ms=instant)
    written = sum(int(rows) for rows in finished(*churning))
    last = settled(database)
    for instant, rows in seen.items():
        assert labelled(database, as_of_ms=instant) == rows
        assert rows == sorted(rows, key=lambda row: row[2])
    assert labelled(database, as_of_ms=last) == labelled(database)
    assert len({name for name, _, _ in labelled(database)}) == len(labelled(database))
    with database.reading() as connection:
        assert production_rows(connection, USE_CASE) == written >= 160


def test_instants_never_run_backwards(database: Database) -> None:
    log(database, "a", "b", "c")
    tell(database, truth("a", at_ms=9_000))
    tell(database, truth("b", at_ms=3_000))  # its clock was behind
    assert labelled(database) == [("a", "yes", 9_000), ("b", "yes", 9_000)]
    assert settled(database) == 9_000
    tell(database, truth("c", at_ms=3_000))
    assert labelled(database)[-1] == ("c", "yes", 9_001)
    assert [name for name, _, _ in labelled(database, as_of_ms=9_000)] == ["a", "b"]


def test_feedback_is_known_once_its_prediction_is_stored_too(database: Database) -> None:
    log(database, "a")
    tell(database, truth("late", at_ms=2_000), truth("a", at_ms=2_000))
    instant = settled(database)
    log(database, "late", at_ms=1_500)
    assert labelled(database, as_of_ms=instant) == [("a", "yes", 2_000)]
    assert labelled(database) == [("a", "yes", 2_000), ("late", "yes", 2_001)]


def test_a_correction_changes_no_settled_instant(database: Database) -> None:
    log(database, "a")
    tell(database, truth("a", "yes", at_ms=2_000))
    instant = settled(database)
    tell(database, truth("a", "no", at_ms=1_000))
    assert labelled(database, as_of_ms=instant) == [("a", "yes", 2_000)]
    assert labelled(database) == [("a", "no", 2_001)]


def test_a_use_case_without_labels_is_settled_at_nought(database: Database) -> None:
    assert settled(database) == 0
    assert labelled(database, as_of_ms=0) == []
    log(database, "a")
    tell(database, truth("a", at_ms=2_000))
    assert settled(database) == 2_000


def test_use_cases_settle_each_for_itself(database: Database) -> None:
    log(database, "a")
    tell(database, truth("a", at_ms=2_000))
    with database.writing() as connection:
        assert settled_instant(connection, "other") == 0
        assert list(labelled_rows(connection, "other")) == []


def test_the_rows_are_read_in_the_order_of_an_index(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    database.migrate()
    plans = {
        "SELECT 1 FROM feedback WHERE use_case = 'a' AND known_at_ms IS NOT NULL "
        "ORDER BY known_at_ms, feedback_id": "ix_feedback_known",
        "SELECT source FROM suspensions WHERE use_case = 'a' AND ended_at_ms IS NULL": "uq_suspensions_open",
        "SELECT 1 FROM quarantine WHERE feedback_id = 5": "ix_quarantine_feedback",
    }
    with database.reading() as connection:
        for statement, index in plans.items():
            plan = str(connection.execute(text(f"EXPLAIN QUERY PLAN {statement}")).all())
            assert index in plan and "TEMP B-TREE" not in plan, plan
    database.close()
