"""Uploaded files and what became of them, each in a folder of its own under the installation's home.

Names that visitors give are shown and never used as paths. Everything here goes after a day.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from loop.refusals import Refusal

KEPT_MS = 86_400_000
_ID = re.compile(r"[0-9a-f]{20}")
_COPIED_BYTES = 1 << 20
_NAME_LENGTH = 120


class NotATable(Refusal):
    """An upload that is neither CSV nor Parquet."""


class UploadGone(Refusal):
    """An upload that was removed, or never was."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One uploaded table."""

    upload_id: str
    name: str
    """As its sender named it, for showing alone."""
    suffix: str
    """.csv or .parquet, by content."""
    uploaded_at_ms: int
    size_bytes: int
    rows: int
    """Exact for Parquet; for CSV the lines below the first, so cells with line breaks count as more."""
    state: str = "uploaded"
    """uploaded, waiting, running, done, failed."""
    changed_at_ms: int = 0
    error: str = ""
    """Why it failed, in one sentence."""


class Uploads:
    """All of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, file: BinaryIO, name: str, at_ms: int) -> Upload:
        """Keeps a file. Raises NotATable where it is empty or neither CSV nor Parquet."""
        upload_id = secrets.token_hex(10)
        folder = self._folder / upload_id
        folder.mkdir(parents=True, mode=0o700)
        unnamed = folder / "received"
        try:
            with unnamed.open("wb") as kept:
                shutil.copyfileobj(file, kept, _COPIED_BYTES)
            suffix, rows = _looked_at(unnamed)
            upload = Upload(
                upload_id, _shown(name), suffix, at_ms, unnamed.stat().st_size, rows, changed_at_ms=at_ms
            )
            os.replace(unnamed, self.rows_path(upload))
            self.write(upload)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return upload

    def of(self, upload_id: str) -> Upload:
        """Raises UploadGone."""
        found = self._read(upload_id) if _ID.fullmatch(upload_id) else None
        if found is None:
            raise UploadGone(
                "this file is not here any more: uploads go after a day, or when somebody removes them. "
                "Upload it again"
            )
        return found

    def all(self) -> tuple[Upload, ...]:
        """Newest first."""
        names = [path.name for path in self._folder.glob("*") if _ID.fullmatch(path.name)]
        found = [upload for name in names if (upload := self._read(name)) is not None]
        return tuple(sorted(found, key=lambda upload: (-upload.uploaded_at_ms, upload.upload_id)))

    def write(self, upload: Upload) -> None:
        self._keep(self.folder_of(upload) / "upload.json", asdict(upload))

    def changed(self, upload: Upload, state: str, at_ms: int, error: str = "") -> Upload:
        """The upload in its new state, kept."""
        now = replace(upload, state=state, changed_at_ms=at_ms, error=error)
        self.write(now)
        return now

    def remove(self, upload: Upload) -> None:
        shutil.rmtree(self.folder_of(upload), ignore_errors=True)

    def prune(self, at_ms: int, at_work: Collection[str] = ()) -> None:
        """Removes what is older than a day, reports included, without the uploads that are worked on."""
        for upload in self.all():
            if upload.changed_at_ms < at_ms - KEPT_MS and upload.upload_id not in at_work:
                self.remove(upload)
        for report in self._folder.glob("*.report.json"):
            if report.stat().st_mtime * 1000 < at_ms - KEPT_MS:
                report.unlink(missing_ok=True)

    def add_report(self, report: Mapping[str, Any]) -> str:
        """Keeps what became of a file that itself is not kept; its id."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        report_id = secrets.token_hex(10)
        self._keep(self._folder / f"{report_id}.report.json", report)
        return report_id

    def report(self, report_id: str) -> dict[str, Any] | None:
        path = self._folder / f"{report_id}.report.json"
        if not _ID.fullmatch(report_id) or not path.is_file():
            return None
        return dict(json.loads(path.read_text(encoding="utf-8")))

    def folder_of(self, upload: Upload) -> Path:
        return self._folder / upload.upload_id

    def rows_path(self, upload: Upload) -> Path:
        return self.folder_of(upload) / f"rows{upload.suffix}"

    def answers_path(self, upload: Upload) -> Path:
        """A CSV, there once all of it is."""
        return self.folder_of(upload) / "answers.csv"

    def _read(self, upload_id: str) -> Upload | None:
        try:
            told = json.loads((self._folder / upload_id / "upload.json").read_text(encoding="utf-8"))
            return Upload(**told)
        except (OSError, ValueError, TypeError):  # being made or removed just now
            return None

    def _keep(self, path: Path, values: Mapping[str, Any]) -> None:
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(values), encoding="utf-8")
        os.replace(unfinished, path)


def _looked_at(path: Path) -> tuple[str, int]:
    """The suffix that its content asks for, and its rows."""
    with path.open("rb") as file:
        start = file.read(4096)
        if start[:4] == b"PAR1":
            return ".parquet", _parquet_rows(path)
        if not start.strip():
            raise NotATable("the file is empty; it needs a line of column names and rows below it")
        if start[:2] == b"\x1f\x8b" or start[:4] == b"PK\x03\x04" or b"\0" in start:
            raise NotATable("the file is neither CSV text nor Parquet; save the table as one of these")
        lines, last = start.count(b"\n"), start[-1:]
        while block := file.read(_COPIED_BYTES):
            lines, last = lines + block.count(b"\n"), block[-1:]
    return ".csv", max(lines + (last != b"\n") - 1, 0)


def _parquet_rows(path: Path) -> int:
    # Imported when the first Parquet file comes: the pages themselves need none of it.
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            return int(file.metadata.num_rows)
    except (pyarrow.ArrowException, OSError) as error:
        raise NotATable(f"the file cannot be read as Parquet: {' '.join(str(error).split())}") from error


def _shown(name: str) -> str:
    """The name without folders and characters that do not show."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(letter for letter in last if letter.isprintable()).strip()[:_NAME_LENGTH] or "rows"
