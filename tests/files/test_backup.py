"""A backup taken while the service runs, and what comes back of it."""

from __future__ import annotations

import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from files.backup import CONTENTS, back_up
from files.restore import NoBackup, restore
from loop.refusals import Refusal
from storage import schema
from storage.database import Database
from storage.dump import TABLES, table_rows
from storage.runs import request_run
from storage.versions import versions
from tests.homes import Home, up
from tests.storage.conftest import postgres_url as postgres_url


def _quiet(_: str) -> None:
    pass


def _tables(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    with database.reading() as connection:
        return {table.name: sorted(table_rows(connection, table), key=repr) for table in TABLES}


def _small(folder: Path) -> tuple[Database, Path]:
    """An installation with a few rows, an erased number, and files."""
    home = folder / "var"
    (home / "snapshots").mkdir(parents=True)
    (home / "snapshots" / "a.parquet").write_bytes(b"\x00\x01rows")
    (home / "supervisor.lock").touch()
    database = Database.open(f"sqlite:///{home / 'rebento.sqlite'}")
    database.migrate()
    database.secret("prediction_ids")
    with database.writing() as connection:
        request_run(connection, "small", trigger="person", reason="<é>", at_ms=5)
        for _ in range(3):
            connection.execute(
                schema.automation_changes.insert().values(
                    use_case="small", change="pause", actor="person", reason="", at_ms=1
                )
            )
        connection.execute(
            schema.automation_changes.delete().where(schema.automation_changes.c.change_id == 3)
        )
    return database, home


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_row_and_file_comes_back_and_no_number_is_given_out_again(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database, home = _small(tmp_path)
    path = tmp_path / "kept.tar"
    kept = back_up(database, home, tmp_path / "use_cases", path, _quiet)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert kept.files == 1
    new = tmp_path / "new"
    url = f"sqlite:///{new / 'rebento.sqlite'}"
    if kind == "postgresql":
        url = request.getfixturevalue("postgres_url")
    brought = restore(path, new, tmp_path / "cases", lambda: Database.open(url), _quiet)
    assert (brought.rows, brought.files) == (kept.rows, kept.files)
    opened = Database.open(url)
    assert _tables(opened) == _tables(database)
    with opened.writing() as connection:
        values = {"use_case": "small", "change": "pause", "actor": "person", "reason": "", "at_ms": 1}
        connection.execute(schema.automation_changes.insert().values(values))
        numbers = connection.scalars(select(schema.automation_changes.c.change_id)).all()
    assert sorted(numbers) == [1, 2, 4]
    assert (new / "snapshots" / "a.parquet").read_bytes() == b"\x00\x01rows"
    assert not (new / "supervisor.lock").exists()
    assert sorted(one.name for one in new.iterdir() if not one.name.startswith("rebento")) == ["snapshots"]
    opened.close()
    database.close()


def test_what_is_there_is_never_written_over(tmp_path: Path) -> None:
    database, home = _small(tmp_path)
    path = tmp_path / "kept.tar"
    back_up(database, home, tmp_path / "use_cases", path, _quiet)
    before = _tables(database)
    with pytest.raises(Refusal, match="holds rebento"):
        restore(path, home, tmp_path / "cases", lambda: database, _quiet)
    full = Database.open(f"sqlite:///{tmp_path / 'elsewhere.sqlite'}")
    full.migrate()
    full.secret("prediction_ids")
    with pytest.raises(Refusal, match="database is not empty"):
        restore(
            path,
            tmp_path / "new",
            tmp_path / "cases",
            lambda: Database.open(f"sqlite:///{tmp_path / 'elsewhere.sqlite'}"),
            _quiet,
        )
    assert _tables(database) == before
    assert not list((tmp_path / "new").iterdir())  # and nothing says that it was half restored
    full.close()
    database.close()


def test_half_a_backup_and_another_file_are_refused_and_it_can_be_tried_again(tmp_path: Path) -> None:
    database, home = _small(tmp_path)
    path = tmp_path / "kept.tar"
    back_up(database, home, tmp_path / "use_cases", path, _quiet)
    database.close()
    new = tmp_path / "new"

    def attempt(file: Path) -> None:
        restore(file, new, tmp_path / "cases", lambda: Database.open(f"sqlite:///{new / 'r.sqlite'}"), _quiet)

    half = tmp_path / "half.tar"
    half.write_bytes(path.read_bytes()[: path.stat().st_size // 2 // 512 * 512 + 100])
    text = tmp_path / "notes.txt"
    text.write_text("no archive")
    other = tmp_path / "other.tar"
    with tarfile.open(other, "w") as archive:
        archive.add(text, "notes.txt")
    for file in (text, other, half):
        with pytest.raises(NoBackup):
            attempt(file)
    attempt(path)
    with pytest.raises(Refusal, match="already"):
        attempt(path)


def test_a_name_that_leads_outside_is_refused(tmp_path: Path) -> None:
    database, home = _small(tmp_path)
    path, worse = tmp_path / "kept.tar", tmp_path / "worse.tar"
    back_up(database, home, tmp_path / "use_cases", path, _quiet)
    database.close()
    with tarfile.open(path) as archive, tarfile.open(worse, "w") as bad:
        for member in archive:
            if member.name == CONTENTS or member.name.startswith("tables"):
                bad.addfile(member, archive.extractfile(member))
        bad.add(path, "home/../../escaped")
    with pytest.raises(NoBackup, match="outside"):
        restore(
            worse,
            tmp_path / "a" / "new",
            tmp_path / "cases",
            lambda: Database.open(f"sqlite:///{tmp_path / 'r.sqlite'}"),
            _quiet,
        )
    assert not (tmp_path / "escaped").exists()


def test_a_backup_does_not_lie_in_what_it_keeps(tmp_path: Path) -> None:
    database, home = _small(tmp_path)
    with pytest.raises(Refusal, match="elsewhere"):
        back_up(database, home, tmp_path / "use_cases", home / "kept.tar", _quiet)
    database.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_restored_service_gives_the_same_answers_and_knows_its_ids(
    kind: str, trained: Home, tmp_path: Path, row: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    home = trained.copy(tmp_path / "old")
    with up(home) as server:
        first, second = server.predict(row, row)
        told = [{"prediction_id": first["prediction_id"], "target": "yes"}]
        assert server.call("/feedback", {"feedback": told}).json["accepted"] == 1
        said = home.rebento("backup", tmp_path / "kept.tar").stdout  # while it answers
        assert "people's rows" in said
        server.predict(row)  # after the backup: not in it
    folder = tmp_path / "new"
    folder.mkdir()
    extra = {"REBENTO_DATABASE_URL": request.getfixturevalue("postgres_url")} if kind == "postgresql" else {}
    new = Home(folder, home.use_case, extra)
    assert "Next: rebento up" in new.rebento("restore", tmp_path / "kept.tar").stdout
    assert new.tags() == home.tags()
    with up(new) as server:
        (again,) = server.predict(row)
        assert again["probabilities"] == first["probabilities"]
        told = [{"prediction_id": second["prediction_id"], "target": "yes"}]
        answer = server.call("/feedback", {"feedback": told}).json
        assert (answer["accepted"], answer["production_rows"]) == (1, 2)
    database = Database.open(new.database_url)
    with database.reading() as connection:
        assert [one.tag for one in versions(connection, "small")] == home.tags()[::-1]
        stored = connection.scalars(select(schema.predictions.c.prediction_id)).all()
    database.close()
    assert len(stored) == 3
    code = new.rebento("doctor", check=False)
    assert code.returncode == 0, code.stdout
