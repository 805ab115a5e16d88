"""`rebento doctor` on real installations, whole and broken."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sqlite3
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, update
from sqlalchemy.engine import make_url

from diagnosis import machine, stored
from diagnosis.finding import Finding
from loop.clock import now_ms
from loop.refusals import StorageUnavailable
from storage import schema
from storage.database import Database
from storage.migration import upgrade
from storage.processes import beat
from tests.homes import BIN, ROOT, Home, free_port, serving
from tests.storage.conftest import postgres_url as postgres_url

slow = pytest.mark.slow


def _ports(home: Home, folder: Path) -> Home:
    """The same installation with three ports of its own."""
    names = ("REBENTO_API_PORT", "REBENTO_WEB_PORT", "REBENTO_REPORTING_PORT")
    return home.copy(folder, **{name: str(free_port()) for name in names})


def _said(home: Home) -> tuple[int, dict[str, str]]:
    """Exit code, and each subject with its mark and sentence."""
    run = home.rebento("doctor", check=False)
    found = re.findall(r"^(ok|look|FAIL) +([\w ]+): (.*)$", run.stdout, re.MULTILINE)
    assert found, run.stdout + run.stderr
    return run.returncode, {subject: f"{mark} {sentence}" for mark, subject, sentence in found}


def test_before_anything_was_made_nothing_is_made(tmp_path: Path) -> None:
    code, said = _said(_ports(Home(tmp_path, "doctor_visits"), tmp_path / "there"))
    assert code == 0
    assert said["database"] == "look there is none yet"
    assert not (tmp_path / "there" / "var").exists()


@slow
def test_a_sound_installation_is_said_to_be_sound(trained: Home, tmp_path: Path) -> None:
    code, said = _said(_ports(trained, tmp_path))
    assert code == 0, said
    assert re.fullmatch(r"ok small:\S+ answers its \d+ golden rows as when it was built", said["champion"])
    assert said["processes"] == "look small is not being served"
    assert {line.partition(" ")[0] for line in said.values()} == {"ok", "look"}


@slow
def test_a_running_service_holds_its_ports_and_a_stranger_does_not(trained: Home, tmp_path: Path) -> None:
    home = _ports(trained, tmp_path)
    ports = {name: int(value) for name, value in home.extra.items() if name.endswith("_PORT")}
    with socket.create_server(("127.0.0.1", ports["REBENTO_WEB_PORT"])):
        with serving(home, [str(BIN / "rebento"), "up"], ports["REBENTO_API_PORT"]):
            code, said = _said(home)
    assert code == 1
    assert said[f"port {ports['REBENTO_API_PORT']}"] == "ok held by the API"
    assert said[f"port {ports['REBENTO_WEB_PORT']}"].endswith("listens where the pages should")
    assert said[f"port {ports['REBENTO_WEB_PORT']}"].startswith("FAIL")


@slow
def test_lost_files_a_future_clock_and_a_damaged_file_are_each_named(trained: Home, tmp_path: Path) -> None:
    home = _ports(trained, tmp_path)
    (tag,) = home.tags()
    shutil.rmtree(home.var / "bentoml" / "models" / "small" / tag.partition(":")[2])
    database = Database.open(home.database_url)
    with database.writing() as connection:
        connection.execute(update(schema.versions).values(created_at_ms=now_ms() + 3_600_000))
    database.close()
    code, said = _said(home)
    assert code == 1
    assert said["champion"].startswith("FAIL the model in")
    assert re.match(r"FAIL rows are stored that come 3,\d\d\d s from now", said["clock"])
    assert said["database"].startswith("ok")


@pytest.mark.parametrize(("seconds", "health"), [(5, "look"), (120, "failing")])
def test_a_trainer_that_was_not_heard_of_is_missed_once_it_had_the_time_to_start(
    tmp_path: Path, seconds: int, health: str
) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'rebento.sqlite'}")
    database.migrate()
    at_ms = now_ms()
    with database.writing() as connection:
        begun = {"pid": 4711, "host": "here", "started_at_ms": at_ms - 1_000 * seconds, "at_ms": at_ms}
        beat(connection, "small", "supervisor", **begun)
    with database.reading() as connection:
        (found,) = stored.processes(connection, "small", at_ms)
    database.close()
    assert found.health == health and "trainer" in found.sentence


def test_a_damaged_file_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "rebento.sqlite"
    database = Database.open(f"sqlite:///{path}")
    database.migrate()
    database.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_runs_state'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    database = Database.open(f"sqlite:///{path}")
    (found,) = stored.tables(database)
    database.close()
    assert found.health == "failing"
    assert "damaged" in found.sentence and "restore" in found.advice


def test_a_database_behind_this_code_is_said_to_be_migrated_at_the_start(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'rebento.sqlite'}")
    (found,) = stored.tables(database)
    assert found == Finding("database", "look", "it has no tables yet", "`rebento up` makes them")
    database.migrate()
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    (found,) = stored.tables(database)
    assert found.health == "look" and "at revision 0001" in found.sentence
    database.close()


def test_a_database_that_lost_a_table_or_is_no_database_is_to_come_from_a_backup(tmp_path: Path) -> None:
    home = Home(tmp_path, "doctor_visits")
    database = Database.open(home.database_url)
    database.migrate()
    with database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE suspensions")
    (found,) = stored.tables(database)
    database.close()
    assert (found.health, found.sentence) == ("failing", "tables are gone: suspensions")
    assert found.advice == stored.FROM_A_BACKUP
    for file in home.var.iterdir():
        file.unlink()
    (home.var / "rebento.sqlite").write_text("no database")
    code, said = _said(home)
    assert code == 1 and "file is not a database" in said["database"]
    assert "`rebento restore FILE`" in home.rebento("doctor", check=False).stdout


def test_a_database_of_an_earlier_version_is_not_looked_into(tmp_path: Path) -> None:
    """Columns that this code asks for are not there yet."""
    home = Home(tmp_path, "doctor_visits")
    database = Database.open(home.database_url)
    with database.writing() as connection:
        upgrade(connection, "0003")
    database.close()
    code, said = _said(home)
    assert code == 0
    assert said["database"].startswith("look at revision 0003, this code knows ")


def test_a_user_who_may_make_no_tables_is_told_what_to_ask_for(postgres_url: str) -> None:
    owner = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    name = f"reader_{uuid4().hex[:8]}"
    with owner.connect() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN")
        connection.exec_driver_sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        url = make_url(postgres_url).set(username=name).render_as_string()
        database = Database.open(url)
        with pytest.raises(StorageUnavailable, match=f'GRANT CREATE, USAGE ON SCHEMA public TO "{name}"'):
            database.migrate()
        (found,) = stored.tables(database)
        assert found.health == "failing" and "may not make tables" in found.sentence
        connection.exec_driver_sql(f"GRANT CREATE ON SCHEMA public TO {name}")
        database.migrate()
        assert [one.health for one in stored.tables(database)] == ["well"]
        database.close()
    owner.dispose()


def test_an_address_that_this_machine_does_not_have() -> None:
    found = machine.port("192.0.2.1", 8080, "the API", "REBENTO_API_PORT", None)
    assert (found.health, found.sentence) == ("failing", "192.0.2.1 is no address of this machine")


def test_a_port_without_a_supervisor_is_free_or_a_strangers() -> None:
    number = free_port()
    assert machine.port("127.0.0.1", number, "the API", "REBENTO_API_PORT", None).health == "well"
    for is_beginning, health in ((True, "look"), (False, "failing")):
        found = machine.port("127.0.0.1", number, "the API", "X", os.getpid(), is_beginning=is_beginning)
        assert found.health == health and "nobody listens" in found.sentence
    with socket.create_server(("127.0.0.1", number)):
        found = machine.port("127.0.0.1", number, "the API", "REBENTO_API_PORT", None)
    assert found.health == "failing"
    assert "REBENTO_API_PORT" in found.advice


def test_a_full_disk_and_a_home_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found,) = machine.disk(tmp_path / "not" / "made" / "yet")
    assert found.health in ("well", "look")
    monkeypatch.setattr(machine, "LEAST_FREE_BYTES", 10**18)
    (found,) = machine.disk(tmp_path)
    assert found.health == "failing" and "rebento prune" in found.advice
    (found,) = machine.disk(Path("/proc/1"))
    assert found.health == "failing"


def test_another_python_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.python_version", lambda: "3.9.18")
    (found,) = machine.libraries()
    assert found.health == "failing" and "Python 3.9.18 is not >=3.11" in found.sentence


def test_a_host_that_only_serves_lacks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As requirements-service.lock makes it."""
    held = {line.partition("==")[0] for line in (ROOT / "requirements-service.lock").read_text().splitlines()}

    def version_there(name: str) -> str:
        if name.lower() not in held | {"rebento"}:
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(machine, "version", version_there)
    (found,) = machine.libraries()
    assert found.health == "well", found
    assert found.sentence.endswith(", without training, web, reporting, grafana")
    held.remove("onnxruntime")
    (found,) = machine.libraries()
    assert found.health == "failing" and "onnxruntime is not installed" in found.sentence


def test_libraries_are_those_of_the_lock() -> None:
    (found,) = machine.libraries()
    assert found.health == "well", found
