"""Old Bentos make room: their files go, their entry with scores and history stays."""

from __future__ import annotations

import shutil
from pathlib import Path

from storage.database import Database
from storage.versions import Version, digests_in_use, mark_files_removed, prunable, versions


def prune_bentos(database: Database, use_case: str, home: Path, keep: int, at_ms: int) -> list[str]:
    """Removes the files of Bentos beyond the newest `keep`; their tags.

    Never those that `storage.versions.prunable` spares. Goes with them: the fitted pipeline, and the
    snapshot where no version that stays learned from it. Raises StorageUnavailable.
    """
    with database.writing() as connection:
        # Entered first: nobody can promote what is about to go. A kill in between leaves files behind,
        # which the next call removes.
        going = prunable(connection, use_case, keep)
        for version in going:
            mark_files_removed(connection, version.tag, at_ms)
        everyone = versions(connection, use_case)
        kept = digests_in_use(connection)
    for version in everyone:
        if version.files_removed_at_ms is not None:
            _remove(version, home, with_snapshot=version.data_digest not in kept)
    return [version.tag for version in going]


def _remove(version: Version, home: Path, *, with_snapshot: bool) -> None:
    name, _, number = version.tag.partition(":")
    store = home / "bentoml"
    places = (("bentos", name), ("models", name), ("models", f"{name}_pipeline"))
    for folder in (store / kind / of / number for kind, of in places):
        if folder.is_dir():
            shutil.rmtree(folder)
    if with_snapshot:
        (home / "snapshots" / f"{version.data_digest}.parquet").unlink(missing_ok=True)
