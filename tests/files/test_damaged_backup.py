"""A damaged backup is refused before anything is written; one that is broken off leaves nobody's rows."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from files.backup import CONTENTS, back_up
from files.restore import NoBackup, Restored, restore
from files.sums import SUMS
from files.whole import refusing_a_full_disk
from loop.refusals import Refusal
from storage.automation import pause
from storage.database import Database
from storage.dump import TABLES, table_rows
from storage.runs import request_run
from tests.homes import ROOT, Home


def _quiet(_: str) -> None:
    pass


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A backup of a few rows, a file and a use case."""
    home, cases = tmp_path / "var", tmp_path / "use_cases"
    (home / "snapshots").mkdir(parents=True)
    (home / "snapshots" / "a.parquet").write_bytes(b"\x00\x01rows")
    (cases / "small").mkdir(parents=True)
    (cases / "small" / "use_case.yaml").write_text("target: visit\n")
    (cases / "source.py").write_text("no use case\n")
    database = Database.open(f"sqlite:///{home / 'mine.sqlite'}")
    database.migrate()
    with database.writing() as connection:
        request_run(connection, "small", trigger="person", reason="why not", at_ms=5)
        pause(connection, "small", actor="person", reason="", at_ms=6)
    back_up(database, home, cases, tmp_path / "kept.tar", _quiet)
    database.close()
    return tmp_path / "kept.tar"


def _restored(path: Path, folder: Path) -> Restored:
    url = f"sqlite:///{folder / 'var' / 'mine.sqlite'}"
    return restore(path, folder / "var", folder / "use_cases", lambda: Database.open(url), _quiet)


def test_use_cases_are_kept_and_neither_code_nor_the_databases_own_file(kept: Path) -> None:
    with tarfile.open(kept) as archive:
        names = archive.getnames()
    assert [name for name in names if name.startswith("use_cases")] == ["use_cases/small/use_case.yaml"]
    assert [name for name in names if name.startswith("home")] == ["home/snapshots/a.parquet"]


def test_a_changed_byte_is_refused_before_anything_is_written(kept: Path, tmp_path: Path) -> None:
    whole = kept.read_bytes()
    with tarfile.open(kept) as archive:
        changed = [member for member in archive if member.size]
    assert len(changed) > 5
    for member in changed:
        worse = bytearray(whole)
        worse[member.offset_data + member.size // 2] ^= 0x01
        kept.write_bytes(worse)
        with pytest.raises(NoBackup, match=r"kept\.tar"):
            _restored(kept, tmp_path / "new")
        assert not (tmp_path / "new").exists()


def test_an_archive_cut_between_two_members_is_refused(kept: Path, tmp_path: Path) -> None:
    whole = kept.read_bytes()
    with tarfile.open(kept) as archive:
        ends = [member.offset for member in archive][1:]
    for end in ends:
        kept.write_bytes(whole[:end])
        with pytest.raises(NoBackup, match="no whole backup"):
            _restored(kept, tmp_path / "new")
        assert not (tmp_path / "new").exists()


def test_what_is_no_archive_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.tar").touch()
    with pytest.raises(NoBackup) as refused:
        _restored(tmp_path / "empty.tar", tmp_path / "new")
    assert str(refused.value).endswith("is no archive; `rebento backup FILE` makes one")


def test_a_backup_of_an_earlier_version_comes_back(kept: Path, tmp_path: Path) -> None:
    """Revision 0004, format 1: no checksums, and columns that came later are not in it."""
    earlier = tmp_path / "earlier.tar"
    with tarfile.open(kept) as archive, tarfile.open(earlier, "w") as older:
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            content = file.read()
            if member.name == SUMS:
                continue
            if member.name == CONTENTS:
                said = json.loads(content) | {"format": 1, "revision": "0004"}
                content = json.dumps(said).encode()
            if member.name == "tables/runs.jsonl":
                lines = [json.loads(line) for line in content.splitlines()]
                place = lines[0].index("mode")
                content = b"".join(
                    json.dumps(line[:place] + line[place + 1 :]).encode() + b"\n" for line in lines
                )
            member.size = len(content)
            older.addfile(member, io.BytesIO(content))
    assert _restored(earlier, tmp_path / "new").rows > 1
    database = Database.open(f"sqlite:///{tmp_path / 'new' / 'var' / 'mine.sqlite'}")
    database.migrate()
    with database.reading() as connection:
        found = {table.name: len(list(table_rows(connection, table))) for table in TABLES}
    database.close()
    assert found["runs"] == found["automation_changes"] == 1


def test_a_use_case_that_is_there_already_is_left_as_it_is(kept: Path, tmp_path: Path) -> None:
    case = tmp_path / "new" / "use_cases" / "small" / "use_case.yaml"
    case.parent.mkdir(parents=True)
    case.write_text("target: edited since\n")
    assert _restored(kept, tmp_path / "new").left == (case,)
    assert case.read_text() == "target: edited since\n"


def test_nothing_is_no_backup(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'var' / 'rebento.sqlite'}")
    database.migrate()
    with pytest.raises(Refusal, match="nothing to back up"):
        back_up(database, tmp_path / "var", tmp_path / "use_cases", tmp_path / "kept.tar", _quiet)
    database.close()
    assert [one.name for one in tmp_path.iterdir()] == ["var"]


@pytest.mark.slow
def test_a_mistyped_home_is_neither_made_nor_backed_up(tmp_path: Path) -> None:
    run = Home(tmp_path, "doctor_visits").rebento("backup", tmp_path / "kept.tar", check=False)
    assert run.returncode == 1 and "set REBENTO_HOME" in run.stderr
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="is full: free some of it and do it again"):
        with refusing_a_full_disk(tmp_path, "do it again"), open("/dev/full", "wb", buffering=0) as full:
            full.write(b"x")


_KILLED = """
import os, signal, sys
from pathlib import Path
from files.{module} import {name}
from storage.database import Database

def advanced(stage):
    if stage == {stage!r}:
        os.kill(os.getpid(), signal.SIGKILL)

folder = Path(sys.argv[1])
{call}
"""


def _killed(folder: Path, module: str, name: str, stage: str, call: str) -> None:
    code = _KILLED.format(module=module, name=name, stage=stage, call=call)
    run = subprocess.run([sys.executable, "-c", code, folder], cwd=ROOT, timeout=60)
    assert run.returncode == -signal.SIGKILL


def test_a_backup_that_is_killed_leaves_neither_a_backup_nor_rows(kept: Path, tmp_path: Path) -> None:
    whole = kept.read_bytes()
    call = (
        "back_up(Database.open(f'sqlite:///{folder}/var/mine.sqlite'), folder / 'var', "
        "folder / 'use_cases', folder / 'kept.tar', advanced)"
    )
    _killed(tmp_path, "backup", "back_up", "files", call)
    assert kept.read_bytes() == whole  # the one before
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        ".kept.tar.unfinished",
        "kept.tar",
        "use_cases",
        "var",
    ]


@pytest.mark.parametrize("stage", ["files", "runs"])
def test_a_restore_that_is_killed_is_seen_and_can_be_done_again(
    kept: Path, tmp_path: Path, stage: str
) -> None:
    call = (
        "restore(folder / 'kept.tar', folder / 'new' / 'var', folder / 'new' / 'use_cases', "
        "lambda: Database.open(f'sqlite:///{folder}/new/var/mine.sqlite'), advanced)"
    )
    _killed(tmp_path, "restore", "restore", stage, call)
    url = f"sqlite:///{tmp_path / 'new' / 'var' / 'mine.sqlite'}"
    half = Home(tmp_path / "new", "doctor_visits", {"REBENTO_DATABASE_URL": url})
    run = half.rebento("versions", check=False)
    assert run.returncode == 1 and "holds half of an installation" in run.stderr
    run = half.rebento("doctor", check=False)
    assert run.returncode == 1 and "do `rebento restore FILE` again" in run.stdout
    assert _restored(kept, tmp_path / "new").rows > 1
    assert half.rebento("versions").returncode == 0
