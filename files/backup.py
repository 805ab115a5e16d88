"""One file that holds an installation: every table and every file, taken while it runs."""

from __future__ import annotations

import base64
import os
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from files.whole import whole_file
from loop.clock import now_ms
from loop.places import bento_code, model_folder
from loop.refusals import Refusal
from storage.condition import revision
from storage.database import Database
from storage.dump import TABLES, last_numbers, table_rows
from storage.versions import kept_versions

CONTENTS, TABLE_FOLDER, HOME_FOLDER, USE_CASE_FOLDER = "backup.json", "tables", "home", "use_cases"
FORMAT = 1
#: Of the processes that run now, or made again by whoever needs it.
_NOT_KEPT = frozenset({"supervisor.lock", "supervisor.json", "tmp"})


class Contents(BaseModel):
    """What a backup says of itself: the archive's first member."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: int
    made_at_ms: int
    rebento: str
    revision: str
    """Of the tables."""
    numbers: dict[str, int]
    """See `storage.dump.last_numbers`."""
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class Backup:
    """What was kept."""

    path: Path
    rows: int
    files: int
    size_bytes: int


def back_up(
    database: Database, home: Path, use_cases: Path, path: Path, advanced: Callable[[str], None]
) -> Backup:
    """Writes `path`, a tar archive, whole or not at all, readable by its owner alone.

    The tables are those of one instant; the files are read after it, so that all that the tables name is
    there. Raises StorageUnavailable, and Refusal where `path` cannot be, or where a version's files were
    pruned in between.
    """
    if path.absolute().is_relative_to(home.absolute()):
        raise Refusal(f"{path} lies in {home}, which it is a backup of; name a file elsewhere")
    # Beside the target: the system's own folder for such files may be small, or memory.
    with whole_file(path) as file, tempfile.TemporaryDirectory(dir=path.parent, prefix=".backup-") as scratch:
        os.fchmod(file.fileno(), 0o600)
        with database.reading() as connection:
            contents = _dump(connection, Path(scratch), advanced)
            wanted = {
                place
                for one in kept_versions(connection)
                for place in (bento_code(home, one.tag), model_folder(home, one.model_tag))
                if place.is_dir()  # what was lost before, `rebento doctor` tells
            }
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            _add_bytes(archive, CONTENTS, contents.model_dump_json().encode(), scratch)
            for table in TABLES:
                archive.add(Path(scratch) / table.name, f"{TABLE_FOLDER}/{table.name}.jsonl")
            advanced("files")
            kept = [
                *_add_folder(archive, home, HOME_FOLDER),
                *_add_folder(archive, use_cases, USE_CASE_FOLDER),
            ]
        lost = sorted(str(place) for place in wanted if not any(one.is_relative_to(place) for one in kept))
        if lost:
            raise Refusal(
                f"the files of a version were removed while they were read ({', '.join(lost)}); do it again"
            )
        size = file.tell()
    return Backup(path, sum(contents.rows.values()), len(kept), size)


def _dump(connection: Connection, scratch: Path, advanced: Callable[[str], None]) -> Contents:
    at = revision(connection)
    if at is None:
        raise Refusal("there is nothing to back up yet: the database has no tables")
    rows: dict[str, int] = {}
    for table in TABLES:
        advanced(table.name)
        with (scratch / table.name).open("wb") as file:
            _write_line(file, [column.name for column in table.columns])
            rows[table.name] = 0
            for row in table_rows(connection, table):
                _write_line(file, [_plain(value) for value in row])
                rows[table.name] += 1
    return Contents(
        format=FORMAT,
        made_at_ms=now_ms(),
        rebento=version("rebento"),
        revision=at,
        numbers=last_numbers(connection),
        rows=rows,
    )


def _write_line(file: BinaryIO, values: list[Any]) -> None:
    file.write(orjson.dumps(values, option=orjson.OPT_APPEND_NEWLINE))


def _plain(value: Any) -> Any:
    """Bytes as {"base64": …}; everything else in the tables is JSON already."""
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes, scratch: str) -> None:
    path = Path(scratch) / "contents"
    path.write_bytes(content)
    archive.add(path, name)


def _add_folder(archive: tarfile.TarFile, folder: Path, name: str) -> Iterator[Path]:
    """Adds every regular file below; the paths of those that were added."""
    for path in _below(folder):
        relative = path.relative_to(folder)
        if relative.parts[0] in _NOT_KEPT or _is_database(relative):
            continue
        try:
            with path.open("rb") as file:
                member = archive.gettarinfo(arcname=f"{name}/{relative.as_posix()}", fileobj=file)
                member.uid = member.gid = 0
                member.uname = member.gname = ""
                archive.addfile(member, file)
        except FileNotFoundError:  # pruned since it was listed; whether it is missed is looked at in the end
            continue
        yield path


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place) / name
            try:
                if stat.S_ISREG(path.lstat().st_mode):
                    yield path
            except FileNotFoundError:
                continue


def _is_database(relative: Path) -> bool:
    """Its rows are kept as rows: the file may be in the middle of a write."""
    return len(relative.parts) == 1 and relative.name.startswith("rebento.sqlite")
