"""Opening, transactions, refusals, secrets."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from loop.refusals import StorageUnavailable
from storage.database import Database
from storage.predictions import find_prediction, record_predictions
from tests.storage.postgres import binaries
from tests.storage.rows import finished, log, prediction, writer


def test_opening_creates_the_folder_and_a_write_ahead_log(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    database.close()


@pytest.mark.parametrize("durable, level", [(True, 2), (False, 1)])
def test_only_durable_writing_waits_for_the_disk(sqlite_url: str, durable: bool, level: int) -> None:
    database = Database.open(sqlite_url)
    for before in (not durable, durable):  # the connection is one and the same
        with database.writing(durable=before) as connection:
            seen = connection.exec_driver_sql("PRAGMA synchronous").scalar()
    assert seen == level
    database.close()


def test_postgresql_waits_for_the_disk_only_when_durable(postgres_url: str) -> None:
    database = Database.open(postgres_url)
    for durable, expected in ((False, "off"), (True, "on"), (False, "off")):
        with database.writing(durable=durable) as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == expected
    database.close()


@pytest.mark.parametrize(
    "url, sentence",
    [
        ("nonsense", "is no database URL"),
        ("mysql://somewhere/else", "is of a kind Rebento does not write"),
        ("sqlite://", "names no file"),
        ("postgresql+psycopg://someone:very-secret@127.0.0.1:1/none", "cannot be opened"),
    ],
)
def test_a_database_that_cannot_be_opened_is_refused_with_a_sentence(url: str, sentence: str) -> None:
    with pytest.raises(StorageUnavailable, match=sentence) as refusal:
        Database.open(url)
    assert "very-secret" not in str(refusal.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes\n" * 100)
    with pytest.raises(StorageUnavailable, match="file is not a database"):
        Database.open(f"sqlite:///{path}")
    (tmp_path / "blocked").write_text("a file where the folder should be")
    with pytest.raises(StorageUnavailable, match="cannot be opened"):
        Database.open(f"sqlite:///{tmp_path / 'blocked' / 'rebento.sqlite'}")


def test_a_full_database_is_refused_and_goes_on_when_there_is_room(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    database.migrate()
    log(database, "before")
    with (
        pytest.raises(
            StorageUnavailable, match=r"cannot be written now \(database or disk is full\)"
        ) as refused,
        database.writing() as connection,
    ):
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        record_predictions(connection, [prediction(f"row-{n}") for n in range(2_000)], 10)
    assert isinstance(refused.value.__cause__, DBAPIError)
    with database.writing() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert log(database, "after") == 1
    with database.reading() as connection:
        assert find_prediction(connection, "row-0") is None
    database.close()


def test_a_disk_that_takes_no_more_bytes_is_refused_and_loses_nothing(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    database.migrate()
    (output,) = finished(writer("full_disk", sqlite_url))
    assert "refused: the database cannot be written now" in output
    assert "stored afterwards: 1" in output
    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert connection.exec_driver_sql("SELECT count(*) FROM predictions").scalar() == 2
    database.close()


def test_a_file_that_may_only_be_read_is_refused() -> None:
    # Not pytest's folder: that one is closed to the user who may only read.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rebento.sqlite"
        database = Database.open(f"sqlite:///{path}")
        database.migrate()
        database.close()
        path.chmod(0o444)
        path.parent.chmod(0o555)
        (output,) = finished(writer("read_only", f"sqlite:///{path}"))
        path.parent.chmod(0o755)
    assert output.startswith("refused: the database")


def test_a_lock_that_is_not_released_is_refused_and_not_waited_for_for_ever(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.engines.WAIT_SECONDS", 0.2)
    database = Database.open(sqlite_url)
    database.migrate()
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable, match="database is locked"):
        log(database, "row")
    other.execute("ROLLBACK")
    other.close()
    assert log(database, "row") == 1
    database.close()


def test_a_lost_connection_is_refused_and_the_next_call_works(postgres_url: str) -> None:
    database, other = Database.open(postgres_url), Database.open(postgres_url)
    database.migrate()
    with pytest.raises(StorageUnavailable, match="cannot be written now"), database.writing() as connection:
        record_predictions(connection, [prediction("lost")], 10)
        backend = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        with other.writing() as admin:
            admin.exec_driver_sql(f"SELECT pg_terminate_backend({backend}, 5000)")
        record_predictions(connection, [prediction("lost too")], 10)
    assert log(database, "kept") == 1
    with database.reading() as connection:
        assert find_prediction(connection, "lost") is None
    database.close()
    other.close()


def test_a_mistake_in_a_statement_is_no_refusal(database: Database) -> None:
    with pytest.raises(DBAPIError, match="no_such_table"), database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM no_such_table")


def test_an_error_never_shows_a_rows_values(database: Database) -> None:
    with pytest.raises(DBAPIError) as failed, database.writing() as connection:
        marks = "?, ?" if connection.dialect.name == "sqlite" else "%s, %s"
        connection.exec_driver_sql(
            f"INSERT INTO predictions (prediction_id, row_json) VALUES ({marks})", ("a", "private words")
        )
    assert "private words" not in str(failed.value)


def test_threads_write_side_by_side(database: Database) -> None:
    def work(thread: int) -> None:
        for row in range(10):
            log(database, f"{thread}-{row}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM predictions").scalar() == 60


def test_a_secret_is_made_once_and_is_the_same_for_all(url: str, database: Database) -> None:
    made: list[bytes] = []
    threads = [threading.Thread(target=lambda: made.append(database.secret("ids"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(made) == 8 and len(set(made)) == 1 and len(made[0]) == 32
    again = Database.open(url)
    assert again.secret("ids") == made[0]
    assert len(again.secret("other", create_bytes=16)) == 16
    again.close()


def test_serving_starts_without_heavy_modules(url: str, database: Database) -> None:
    assert finished(writer("start", url)) == ["heavy: []\n"]


def test_a_machine_without_postgresql_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(Path, "glob", lambda *_: iter(()))
    with pytest.raises(FileNotFoundError, match="install it"):
        binaries()
