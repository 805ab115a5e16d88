"""An installation out of a backup, in an empty place and into either kind of database."""

from __future__ import annotations

import base64
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import orjson
from pydantic import ValidationError
from sqlalchemy.exc import DataError, IntegrityError

from files.backup import CONTENTS, FORMAT, HOME_FOLDER, TABLE_FOLDER, USE_CASE_FOLDER, Contents
from files.sums import Changed, check
from files.whole import refusing_a_full_disk, whole_file
from loop.places import UNFINISHED_RESTORE
from loop.refusals import Refusal
from storage.condition import REVISIONS, revision
from storage.database import Database
from storage.dump import TABLES, fill, finish, is_empty, prepare

#: What may lie in a home that holds nothing yet.
_HARMLESS = frozenset({UNFINISHED_RESTORE, "supervisor.lock", "lost+found"})
#: The first that ends with checksums.
_SUMMED = 2


class NoBackup(Refusal):
    """A file that is no whole backup, or one that this code cannot read."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was brought back."""

    made_at_ms: int
    rows: int
    files: int
    left: tuple[Path, ...]
    """Files of use cases that lay there already, with other content, and were left as they were."""


def restore(
    path: Path,
    home: Path,
    use_cases: Path,
    open_database: Callable[[], Database],
    advanced: Callable[[str], None],
) -> Restored:
    """Brings back what `files.backup.back_up` kept. The files come first, the tables in one transaction last.

    Raises NoBackup, and Refusal where home or database hold something already, or the disk is full: nothing
    is written over. The archive is read through and compared with its checksums before anything is written.
    An attempt that was broken off may be made again.
    """
    again = f"restore again: what {home} holds so far is written over"
    try:
        with _opened(path) as archive, refusing_a_full_disk(home, again):
            contents = _contents(archive)
            _refuse_full(home)
            if contents.format >= _SUMMED:
                advanced("checksums")
                check(archive)
            home.mkdir(parents=True, exist_ok=True)
            mark = home / UNFINISHED_RESTORE
            is_again = mark.exists()
            mark.touch()
            database = open_database()
            try:
                with database.reading() as connection:
                    there = revision(connection)
                    if there not in (None, contents.revision) or not is_empty(connection):
                        if not is_again:
                            mark.unlink()  # nothing was begun
                        raise Refusal(
                            "the database is not empty: name an empty one by REBENTO_DATABASE_URL; nothing "
                            "of it was changed"
                        )
                advanced("files")
                files, left = _extract(archive, home, use_cases)
                rows = _fill(database, archive, contents, advanced)
            finally:
                database.close()
    except (tarfile.TarError, EOFError, KeyError, orjson.JSONDecodeError, Changed) as error:
        raise NoBackup(f"{path} is no whole backup ({error}); take another") from error
    except (IntegrityError, DataError) as error:
        raise NoBackup(f"{path} holds rows that do not fit together; take another") from error
    mark.unlink()
    return Restored(contents.made_at_ms, rows, files, tuple(left))


def _opened(path: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(path)
    except tarfile.ReadError as error:  # its text has a line for each kind of compression
        raise NoBackup(f"{path} is no archive; `rebento backup FILE` makes one") from error


def _contents(archive: tarfile.TarFile) -> Contents:
    first = archive.next()
    file = archive.extractfile(first) if first is not None and first.name == CONTENTS else None
    if file is None:
        raise NoBackup(f"{archive.name!s} is no backup of Rebento: `rebento backup FILE` makes one")
    try:
        contents = Contents.model_validate_json(file.read())
    except ValidationError as error:
        raise NoBackup(
            f"{archive.name!s} does not say what it holds: {error.error_count()} mistakes"
        ) from error
    if contents.format > FORMAT or contents.revision not in REVISIONS:
        raise NoBackup(
            f"{archive.name!s} was made by Rebento {contents.rebento} (tables {contents.revision}), which is "
            "newer than this one: update, then restore"
        )
    return contents


def _refuse_full(home: Path) -> None:
    if not home.is_dir() or (home / UNFINISHED_RESTORE).exists():
        return
    there = sorted(one.name for one in home.iterdir() if one.name not in _HARMLESS)
    if there:
        raise Refusal(
            f"{home} holds {', '.join(there[:4])} already: stop Rebento and move it away "
            f"(mv {home} {home}.old), or set REBENTO_HOME to an empty folder"
        )


def _extract(archive: tarfile.TarFile, home: Path, use_cases: Path) -> tuple[int, list[Path]]:
    """How many files were written, and those of use cases that were not: another lies there."""
    folders = {HOME_FOLDER: home, USE_CASE_FOLDER: use_cases}
    written, left = 0, []
    for member in archive:
        name = PurePosixPath(member.name)
        target = folders.get(name.parts[0])
        if target is None or not member.isfile():
            continue
        if ".." in name.parts:
            raise NoBackup(f"the backup names a file outside of the installation: {name}")
        place = target.joinpath(*name.parts[1:])
        source = archive.extractfile(member)
        assert source is not None  # a regular file has content
        with source:
            if target is use_cases and place.exists():
                if place.read_bytes() != source.read():
                    left.append(place)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(place) as file:
                shutil.copyfileobj(source, file, 1 << 20)
        os.utime(place, (member.mtime, member.mtime))
        written += 1
    return written, left


def _fill(
    database: Database, archive: tarfile.TarFile, contents: Contents, advanced: Callable[[str], None]
) -> int:
    entered = 0
    with database.writing() as connection:
        prepare(connection, contents.revision)
        for table in TABLES:
            if table.name not in contents.rows:  # came with a later revision
                continue
            advanced(table.name)
            lines = _lines(archive, f"{TABLE_FOLDER}/{table.name}.jsonl")
            rows = fill(connection, table, next(lines), (tuple(line) for line in lines))
            if rows != contents.rows[table.name]:
                raise NoBackup(
                    f"{table.name} has {rows} rows of {contents.rows[table.name]}; take another backup"
                )
            entered += rows
        finish(connection, contents.numbers)
    return entered


def _lines(archive: tarfile.TarFile, name: str) -> Iterator[list[Any]]:
    file = archive.extractfile(name)
    assert file is not None  # every table is a regular file
    with file:
        for line in file:
            yield [_value(one) for one in orjson.loads(line)]


def _value(value: Any) -> Any:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value
