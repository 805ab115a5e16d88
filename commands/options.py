"""What several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

UseCaseOption = Annotated[
    str, typer.Option("--use-case", help="Name of the use case; without it the current one.", metavar="NAME")
]
InputFile = Annotated[Path, typer.Argument(help="A CSV (plain or .gz) or Parquet file.", metavar="FILE")]
Tag = Annotated[str, typer.Argument(help="Tag of the Bento, e.g. doctor_visits:abc.", metavar="TAG")]


def reachable(host: str) -> str:
    """An address that answers where `host` is bound, as part of a URL."""
    if host in ("0.0.0.0", ""):
        return "127.0.0.1"
    if host == "::":
        return "[::1]"
    return f"[{host}]" if ":" in host else host
