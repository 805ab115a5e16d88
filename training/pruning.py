"""Old Bentos make room: their files go, their entry with scores and history stays."""

from __future__ import annotations

from pathlib import Path

from storage.database import Database
from storage.versions import digests_in_use, mark_files_removed, prunable, versions
from training.build import remove_bento


def prune_bentos(database: Database, use_case: str, home: Path, keep: int, at_ms: int) -> list[str]:
    """Removes the files of Bentos beyond the newest `keep`; their tags.

    Never those that `storage.versions.prunable` spares. Goes with them: the fitted pipeline, and the
    snapshot where no version that stays learned from it. Raises StorageUnavailable.
    """
    with database.writing() as connection:
        # Entered first: nobody can promote what is about to go. A kill in between leaves files behind,
        # which the next call removes.
        going = prunable(connection, use_case, keep, at_ms=at_ms)
        for version in going:
            mark_files_removed(connection, version.tag, at_ms)
        everyone = versions(connection, use_case)
        kept = digests_in_use(connection)
    for version in everyone:
        if version.files_removed_at_ms is not None:
            remove_bento(version.tag, home / "bentoml")
            if version.data_digest not in kept:
                (home / "snapshots" / f"{version.data_digest}.parquet").unlink(missing_ok=True)
    return [version.tag for version in going]
