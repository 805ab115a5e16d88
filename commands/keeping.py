"""Everything in one file, and back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from commands.options import UseCaseOption
from installation import Installation
from loop.refusals import Refusal
from settings import read_settings
from storage.database import Database
from terminal import bars, out

BackupFile = Annotated[Path, typer.Argument(help="The archive, e.g. rebento.tar.", metavar="FILE")]


def backup(file: BackupFile, use_case: UseCaseOption = "") -> None:
    """Keep the whole installation, all use cases, in FILE; may be done while it runs."""
    from files.backup import back_up

    place = Installation.find(read_settings(), use_case)
    settings = place.settings
    absent = settings.missing_file
    if absent is not None:
        raise Refusal(f"there is nothing to back up: {absent} is not there; set REBENTO_HOME to where it is")
    with place.database() as database, bars() as progress:
        kept = back_up(database, settings.home, settings.use_cases, file, progress.stage)
    size = f"{kept.size_bytes / 1e6:,.1f} MB"
    out.print(f"Kept {kept.rows:,} rows and {kept.files:,} files in {kept.path} ({size}).", markup=False)
    out.print("It holds people's rows and the key that signs ids: keep it as you keep passwords.")


def restore(file: BackupFile) -> None:
    """Bring FILE back into an empty REBENTO_HOME and an empty database, of either kind."""
    from files.restore import restore as bring_back

    settings = read_settings()
    with bars() as progress:
        restored = bring_back(
            file,
            settings.home,
            settings.use_cases,
            lambda: Database.open(settings.database),
            progress.stage,
        )
    made = datetime.fromtimestamp(restored.made_at_ms / 1000, UTC)
    out.print(
        f"Brought back {restored.rows:,} rows and {restored.files:,} files into {settings.home}, "
        f"as of {made:%Y-%m-%d %H:%M:%S} UTC.",
        markup=False,
    )
    for path in restored.left:
        out.print(f"Left as it is: {path}, which differs from the one in the backup.", markup=False)
    out.print("Next: rebento up")
