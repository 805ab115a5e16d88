"""The revisions: equal to the tables, safe at once, patient with newer ones."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, make_url

from storage import migration, schema
from storage.database import Database
from storage.schema import REVISIONS, metadata
from tests.storage.rows import ROOT, log, released_together, tell, truth, writer


def test_the_revisions_make_exactly_the_tables(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        partial = {
            index["name"]: str(next(iter(index["dialect_options"].values())))
            for table in metadata.tables
            for index in inspect(connection).get_indexes(table)
            if any(key.endswith("_where") for key in index.get("dialect_options", {}))
        }
    assert set(partial) == {
        "ix_predictions_entity",
        "ix_predictions_unlabelled",
        "ix_quarantine_open",
        "uq_feedback_key",
        "uq_suspensions_open",
        "uq_versions_production",
    }


def test_the_code_knows_every_revision_there_is() -> None:
    files = sorted((ROOT / "storage" / "migrations" / "versions").glob("[0-9]*.py"))
    assert tuple(path.name.split("_")[0] for path in files) == REVISIONS


def test_every_table_but_the_secrets_has_a_use_case() -> None:
    assert {name for name, table in metadata.tables.items() if "use_case" not in table.c} == {"secrets"}


def test_times_are_named_for_their_unit() -> None:
    for table in metadata.tables.values():
        for column in table.c:
            assert not column.name.endswith("_at"), column


def test_migrating_twice_changes_nothing(database: Database) -> None:
    log(database, "a")
    database.migrate()
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM predictions").scalar() == 1


def test_four_processes_that_migrate_at_once_all_find_the_tables(url: str) -> None:
    secrets = released_together(*(writer("migrate", url) for _ in range(4)))
    assert len(set(secrets)) == 1 and len(secrets[0].strip()) == 64
    database = Database.open(url)
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").all() == [
            (REVISIONS[-1],)
        ]
    assert log(database, "a") == 1
    database.close()


def test_who_finds_another_process_migrating_waits_for_its_end(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.engines.WAIT_SECONDS", 0.3)
    named = make_url(url)
    if named.get_backend_name() == "postgresql":
        named = named.update_query_dict({"options": "-c lock_timeout=300ms"})
    migrating, waiting = Database.open(url), Database.open(named.render_as_string(hide_password=False))
    thread = threading.Thread(target=waiting.migrate)
    with migrating.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({migration._LOCK})")
        migration.upgrade(connection, "head")
        thread.start()
        thread.join(1.5)
        assert thread.is_alive()
    thread.join(60)
    assert not thread.is_alive() and log(waiting, "a") == 1
    migrating.close()
    waiting.close()


def test_old_code_carries_on_with_a_newer_database(
    url: str, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    # What a later revision would do: migrations only add.
    with database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE predictions ADD COLUMN explained_json TEXT")
        connection.exec_driver_sql("ALTER TABLE feedback ADD COLUMN weight FLOAT NOT NULL DEFAULT 1")
        connection.exec_driver_sql("CREATE TABLE explanations (name TEXT PRIMARY KEY)")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    old = Database.open(url)
    with caplog.at_level(logging.WARNING, logger="rebento.storage"):
        old.migrate()
    assert f"revision 9999, which this code ({REVISIONS[-1]}) does not know" in caplog.text
    log(old, "a")
    assert tell(old, truth("a")).production_rows == 1
    with old.reading() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "9999"
    old.close()


def test_a_migration_that_fails_leaves_no_half_of_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database.open(url)
    with database.writing() as connection:
        schema.runs.create(connection)  # in the way of the revision, after other tables are made
    with pytest.raises(Exception, match="already exists"):
        database.migrate()
    with database.reading() as connection:
        assert inspect(connection).get_table_names() == ["runs"]
    database.close()


def test_a_copied_package_migrates_by_its_own_revisions(url: str, tmp_path: Path) -> None:
    bento = tmp_path / "50% off" / "src"
    for part in ("loop", "storage"):
        shutil.copytree(ROOT / part, bento / part, ignore=shutil.ignore_patterns("__pycache__"))
    program = (
        "import sys, storage; from storage.database import Database\n"
        "assert storage.__file__.startswith(sys.argv[2])\n"
        "database = Database.open(sys.argv[1]); database.migrate(); print(len(database.secret('ids')))\n"
        "database.close()"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, url, str(bento)],
        cwd=bento,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "32\n", "")
