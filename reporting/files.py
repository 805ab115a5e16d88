"""Where a report's files lie, and how many are kept."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from sqlalchemy import Connection

from storage.reports import Report, forget_files, reports_with_files

REPORTS = "reports"
"""Their folder in REBENTO_HOME."""

KEPT = 100
"""Reports of a use case whose files are kept, about 5 MB each; the rows of all stay."""


def report_files(use_case: str, name: str) -> tuple[Path, Path]:
    """Paths of page and JSON, from REBENTO_HOME on."""
    folder = Path(REPORTS) / use_case
    return folder / f"{name}.html", folder / f"{name}.json"


def retire_files(connection: Connection, newest: Report, kept: int = KEPT) -> list[PurePosixPath]:
    """Takes the files from reports whose place others have; those that nobody names any more.

    A comparison made again (`newest`) has written over the files of the one before. In a writing transaction;
    remove the files once it is committed.
    """
    there = reports_with_files(connection, newest.use_case)
    named = {newest.html, newest.json}
    retired = [one for one in there if one.report_id != newest.report_id and {one.html, one.json} & named]
    left = [one for one in there if one not in retired]
    retired += left[kept:]
    still = {path for one in left[:kept] for path in (one.html, one.json)}
    for one in retired:
        forget_files(connection, one.report_id)
    gone = {path for one in retired for path in (one.html, one.json) if path is not None} - still
    return [PurePosixPath(path) for path in sorted(gone)]
