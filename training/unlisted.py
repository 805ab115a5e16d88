"""What killed runs left: Bentos built and never entered, snapshots not written to the end."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from storage.database import Database
from storage.runs import running_run, runs
from storage.versions import versions
from training.build import remove_bento, store_folders

_RUNS_KNOWN = 10_000
_HOUR_SECONDS = 3600
#: `training.building` names a version by its moment and the end of its run's id.
_NAMED = re.compile(r"\d{8}-\d{6}-([0-9a-f]{8})")


def remove_unlisted(database: Database, use_case: str, home: Path) -> list[str]:
    """Removes Bentos, whole or half, of runs that this database knows and no version is of; their tags.

    A Bento of a run that it does not know is left alone: it may be another database's. So is one whose
    run goes on. Raises StorageUnavailable.
    """
    store = home / "bentoml"
    # Listed before the database is read: what is entered in between is among its versions.
    there = {
        place.name
        for folder in store_folders(use_case, store)
        if folder.is_dir()
        for place in folder.iterdir()
        if _NAMED.fullmatch(place.name) and place.is_dir()
    }
    drafts = _drafts(use_case, store)
    with database.reading() as connection:
        there -= {version.tag.partition(":")[2] for version in versions(connection, use_case)}
        if not there and not drafts:
            return []
        running = running_run(connection, use_case)
        known = {run.run_id[-8:] for run in runs(connection, use_case, limit=_RUNS_KNOWN)}
    if running is None:
        for draft in drafts:
            shutil.rmtree(draft, ignore_errors=True)
    else:
        known.discard(running.run_id[-8:])
    unlisted = sorted(f"{use_case}:{name}" for name in there if name[-8:] in known)
    for tag in unlisted:
        remove_bento(tag, store)
    return unlisted


def remove_half_written(home: Path, now_seconds: float) -> list[str]:
    """Removes snapshots that nobody has written to for an hour and nobody finished; their names."""
    folder = home / "snapshots"
    left = []
    for path in sorted(folder.glob("*.part")):
        try:
            if now_seconds - path.stat().st_mtime > _HOUR_SECONDS:
                path.unlink()
                left.append(path.name)
        except FileNotFoundError:  # it has just been finished
            continue
    return left


def _drafts(use_case: str, store: Path) -> list[Path]:
    """Folders in which BentoML puts a Bento together before it enters the store."""
    named = re.compile(rf"bentoml_bento_{re.escape(use_case)}[a-z0-9_]{{8}}")  # as mkdtemp names them
    folder = store / "tmp"
    return [place for place in folder.iterdir() if named.fullmatch(place.name)] if folder.is_dir() else []
