"""Checksums in an archive: what was changed on its way, or lost its end, is seen before anything is used."""

from __future__ import annotations

import hashlib
import tarfile
from io import BytesIO
from typing import IO

import orjson

#: The last member: name -> SHA-256 of each before it.
SUMS = "sha256.json"
_CHUNK = 1 << 20


class Changed(Exception):
    """A member that is not as it was written."""


class Summing:
    """Adds members to an archive that is being written, and their checksums at its end."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._sums: dict[str, str] = {}

    def add(self, name: str, file: IO[bytes], size_bytes: int) -> None:
        member = tarfile.TarInfo(name)
        member.size = size_bytes
        self._write(member, file)

    def add_file(self, name: str, file: IO[bytes]) -> None:
        """An open file with its size and the time of its last change, not its owner."""
        member = self._archive.gettarinfo(arcname=name, fileobj=file)
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        self._write(member, file)

    def close(self) -> None:
        """Writes the checksums. Nothing is added afterwards."""
        sums = orjson.dumps(self._sums)
        self.add(SUMS, BytesIO(sums), len(sums))

    def _write(self, member: tarfile.TarInfo, file: IO[bytes]) -> None:
        read = _Read(file)
        self._archive.addfile(member, read)
        self._sums[member.name] = read.sum.hexdigest()


class _Read:
    """A file whose bytes are summed as they are read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sum = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self.sum.update(chunk)
        return chunk


def check(archive: tarfile.TarFile) -> None:
    """Reads a whole archive. Raises Changed, and tarfile.TarError where its end is missing."""
    found: dict[str, str] = {}
    written: dict[str, str] | None = None
    for member in archive:
        file = archive.extractfile(member)
        if file is None:
            continue
        with file:
            if member.name == SUMS:
                written = orjson.loads(file.read())
            else:
                found[member.name] = _sum(file)
    if written is None:
        raise Changed("its end is missing")
    unlike = sorted(name for name in found.keys() | written.keys() if found.get(name) != written.get(name))
    if unlike:
        raise Changed(f"{unlike[0]} is not as it was written")


def _sum(file: IO[bytes]) -> str:
    found = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        found.update(chunk)
    return found.hexdigest()
