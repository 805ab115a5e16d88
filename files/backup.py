"""One file that holds an installation: every table and every file, taken while it runs."""

from __future__ import annotations

import base64
import os
import re
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import orjson
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from files.sums import Summing
from files.whole import refusing_a_full_disk, whole_file
from loop.clock import now_ms
from loop.places import UNFINISHED_RESTORE, bento_code, model_folder
from loop.refusals import Refusal
from storage.condition import revision
from storage.database import Database
from storage.dump import TABLES, is_empty, last_numbers, table_rows
from storage.versions import kept_versions

CONTENTS, TABLE_FOLDER, HOME_FOLDER, USE_CASE_FOLDER = "backup.json", "tables", "home", "use_cases"
FORMAT = 2
"""1: without checksums."""
#: Of the processes that run now, or made again by whoever needs it.
_NOT_KEPT = frozenset({"supervisor.lock", "supervisor.json", "tmp", "__pycache__", UNFINISHED_RESTORE})
_SQLITE = b"SQLite format 3\x00"


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
    there. Of `use_cases` each folder with a use case is kept. Raises StorageUnavailable, and Refusal where
    `path` cannot be, where the disk is full, where there is nothing to keep, or where a version's files were
    pruned in between.
    """
    if path.absolute().is_relative_to(home.absolute()):
        raise Refusal(f"{path} lies in {home}, which it is a backup of; name a file elsewhere")
    with (
        refusing_a_full_disk(path.parent, "do it again, or name a file on another disk"),
        whole_file(path) as file,
        ExitStack() as scratch,
    ):
        os.fchmod(file.fileno(), 0o600)
        with database.reading() as connection:
            # Beside the target: the system's own folder for such files may be small, or memory. Without a
            # name: where this process is killed, nobody's rows stay behind.
            dumps = {
                table.name: scratch.enter_context(tempfile.TemporaryFile(dir=path.parent)) for table in TABLES
            }
            contents = _dump(connection, dumps, advanced)
            wanted = {
                place
                for one in kept_versions(connection)
                for place in (bento_code(home, one.tag), model_folder(home, one.model_tag))
                if place.is_dir()  # what was lost before, `rebento doctor` tells
            }
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            kept = _archived(Summing(archive), contents, dumps, home, use_cases, advanced)
        lost = sorted(str(place) for place in wanted if not any(one.is_relative_to(place) for one in kept))
        if lost:
            raise Refusal(
                f"the files of a version were removed while they were read ({', '.join(lost)}); do it again"
            )
        size = file.tell()
    return Backup(path, sum(contents.rows.values()), len(kept), size)


def _archived(
    archive: Summing,
    contents: Contents,
    dumps: dict[str, IO[bytes]],
    home: Path,
    use_cases: Path,
    advanced: Callable[[str], None],
) -> list[Path]:
    """Writes all members; the files among them."""
    said = contents.model_dump_json().encode()
    archive.add(CONTENTS, BytesIO(said), len(said))
    for name, dump in dumps.items():
        size = dump.tell()
        dump.seek(0)
        archive.add(f"{TABLE_FOLDER}/{name}.jsonl", dump, size)
    advanced("files")
    kept = list(_add_folder(archive, home, HOME_FOLDER))
    for case in sorted(use_cases.glob("*/use_case.yaml")):
        kept += _add_folder(archive, case.parent, f"{USE_CASE_FOLDER}/{case.parent.name}")
    archive.close()
    return kept


def _dump(connection: Connection, dumps: dict[str, IO[bytes]], advanced: Callable[[str], None]) -> Contents:
    at = revision(connection)
    if at is None or is_empty(connection):
        raise Refusal(
            "there is nothing to back up: the database holds no row; see that REBENTO_HOME and "
            "REBENTO_DATABASE_URL name the installation that you mean"
        )
    rows: dict[str, int] = {}
    for table in TABLES:
        advanced(table.name)
        file = dumps[table.name]
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


def _write_line(file: IO[bytes], values: list[Any]) -> None:
    file.write(orjson.dumps(values, option=orjson.OPT_APPEND_NEWLINE))


def _plain(value: Any) -> Any:
    """Bytes as {"base64": …}; everything else in the tables is JSON already."""
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _add_folder(archive: Summing, folder: Path, name: str) -> Iterator[Path]:
    """Adds every regular file below; the paths of those that were added."""
    for path in _below(folder):
        relative = path.relative_to(folder)
        if not _NOT_KEPT.isdisjoint((relative.parts[0], path.parent.name)):
            continue
        try:
            with path.open("rb") as file:
                if len(relative.parts) == 1 and _is_database(path, file):
                    continue
                archive.add_file(f"{name}/{relative.as_posix()}", file)
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


def _is_database(path: Path, file: IO[bytes]) -> bool:
    """Its rows are kept as rows: the file may be in the middle of a write."""
    first = file.read(len(_SQLITE))
    file.seek(0)
    return first == _SQLITE or re.search(r"sqlite\S*-(wal|shm|journal)$", path.name) is not None
