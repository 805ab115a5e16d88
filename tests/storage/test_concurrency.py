"""Several processes, and processes that die."""

from __future__ import annotations

import threading
from itertools import pairwise

from sqlalchemy import func, select

from storage import schema
from storage.counters import production_rows
from storage.database import Database
from storage.feedback import record_feedback
from storage.labelled import labelled_rows
from storage.predictions import record_predictions
from storage.runs import runs
from storage.versions import Version, add_version, champion, history, version
from tests.storage.rows import USE_CASE, log, prediction, released_together, tell, truth, writer


def _pending(database: Database) -> int:
    table = schema.feedback
    with database.reading() as connection:
        waiting = select(func.count()).select_from(table).where(table.c.state == "pending")
        return int(connection.execute(waiting).scalar_one())


def test_four_processes_ask_for_exactly_one_run_per_multiple(url: str, database: Database) -> None:
    # Batches of 30 step over multiples of 25 and seldom end on one.
    released_together(*(writer("batches", url, f"p{n}", "10", "30", "25") for n in range(4)))
    with database.reading() as connection:
        asked = runs(connection, USE_CASE, state="requested")
        assert production_rows(connection, USE_CASE) == 1_200
        assert len(list(labelled_rows(connection, USE_CASE))) == 1_200
    assert {run.reason for run in asked} == {
        f"{25 * multiple} labelled production rows, a multiple of 25" for multiple in range(1, 49)
    }
    assert len(asked) == 48


def test_a_killed_writer_loses_no_acknowledged_feedback(url: str, database: Database) -> None:
    with writer("stream", url) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip() for _ in range(40)]
        process.kill()
        # `communicate` would lose what the last of those lines had read ahead.
        acknowledged += process.stdout.read().split()
    after = Database.open(url)
    with after.reading() as connection:
        kept = {row.prediction_id for row, *_ in labelled_rows(connection, USE_CASE)}
        assert set(acknowledged) <= kept and len(kept) <= len(acknowledged) + 1
        assert production_rows(connection, USE_CASE) == len(kept)
        assert len(runs(connection, USE_CASE, limit=100_000)) == len(kept) // 10
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    assert tell(after, truth(f"row-{len(kept)}", whole=prediction("later"))).accepted == 1
    after.close()


def test_two_processes_that_label_the_same_rows_count_them_once(url: str, database: Database) -> None:
    log(database, *(f"row-{number}" for number in range(60)))
    released_together(writer("same_rows", url, "yes", "60"), writer("same_rows", url, "no", "60"))
    with database.reading() as connection:
        assert production_rows(connection, USE_CASE) == 60
        assert len(list(labelled_rows(connection, USE_CASE))) == 60
        assert len(runs(connection, USE_CASE)) == 12


def test_rows_logged_and_labelled_at_one_moment_always_meet(url: str, database: Database) -> None:
    released_together(writer("either", url, "log", "150"), writer("either", url, "tell", "150"))
    assert _pending(database) == 0
    with database.reading() as connection:
        assert production_rows(connection, USE_CASE) == 150
        assert len(runs(connection, USE_CASE)) == 15


def test_writers_that_label_each_others_rows_do_not_block_each_other(url: str, database: Database) -> None:
    released_together(writer("crossed", url, "a", "b", "60"), writer("crossed", url, "b", "a", "60"))
    assert _pending(database) == 0
    with database.reading() as connection:
        assert production_rows(connection, USE_CASE) == 120
        assert len(runs(connection, USE_CASE)) == 12


def test_feedback_on_a_prediction_that_is_not_committed_yet_is_joined(database: Database) -> None:
    told = threading.Thread(target=tell, args=(database, truth("a")))
    with database.writing(durable=False) as connection:
        record_predictions(connection, [prediction("a")], 10)
        told.start()
        # Time enough to look for the prediction and not find it, were it not waiting.
        told.join(0.3)
        assert told.is_alive()
    told.join(60)
    assert not told.is_alive() and _pending(database) == 0
    with database.reading() as connection:
        assert production_rows(connection, USE_CASE) == 1


def test_a_prediction_stored_while_its_feedback_is_not_committed_is_joined(database: Database) -> None:
    logged = threading.Thread(target=log, args=(database, "a"))
    with database.writing() as connection:
        assert record_feedback(connection, USE_CASE, [truth("a")], 10).pending == 1
        logged.start()
        logged.join(0.3)
        assert logged.is_alive()
    logged.join(60)
    assert not logged.is_alive() and _pending(database) == 0


def test_a_reader_sees_one_state_while_others_write(database: Database) -> None:
    log(database, "a", "b")
    tell(database, truth("a"))
    with database.reading() as connection:
        before = list(labelled_rows(connection, USE_CASE))
        # Refused, were it to wait for the reader, who waits for it.
        tell(database, truth("b"))
        assert list(labelled_rows(connection, USE_CASE)) == before
        assert production_rows(connection, USE_CASE) == 1


def test_promotions_at_one_moment_leave_one_champion(url: str, database: Database) -> None:
    names = (f"{USE_CASE}:a", f"{USE_CASE}:b")
    with database.writing() as connection:
        for name in names:
            built = Version(name, USE_CASE, name, "None", 1, None, None, "digest", "forest", "{}", None)
            add_version(connection, built)
    released_together(*(writer("promote", url, name, "25") for name in names))
    with database.reading() as connection:
        standing = champion(connection, USE_CASE)
        assert standing is not None and standing.tag in names
        other = version(connection, next(name for name in names if name != standing.tag))
        assert other is not None and other.stage in ("Archived", "None")
        moves = [change for change in reversed(history(connection, USE_CASE)) if change.tag == names[0]]
    # Without gaps: each move starts where the one before ended.
    assert all(earlier.to_stage == later.from_stage for earlier, later in pairwise(moves))
