"""What may be wrong, and what to do."""

from __future__ import annotations

import sys

from commands.options import UseCaseOption
from installation import Installation
from settings import read_settings
from storage.database import Database
from terminal import out

_MARKS = {"well": "[green]ok  [/]", "look": "[yellow]look[/]", "failing": "[red]FAIL[/]"}


def doctor(use_case: UseCaseOption = "") -> None:
    """Check ports, database, store, disk, versions and clock; say what to do. Exit code 1: one fails."""
    from diagnosis.everything import Place, Port, findings

    place = Installation.find(read_settings(), use_case)
    settings = place.settings

    def open_database() -> Database | None:
        return Database.open(settings.database) if settings.missing_file is None else None

    failing = 0
    ports = [
        Port(settings.host, settings.api_port, "the API", "REBENTO_API_PORT"),
        Port(settings.host, settings.web_port, "the pages", "REBENTO_WEB_PORT"),
        Port(settings.host, settings.reporting_port, "Evidently's UI", "REBENTO_REPORTING_PORT"),
    ]
    looked_at = Place(place.use_case_name, place.use_case, settings.home, settings.data, open_database, ports)
    for finding in findings(looked_at):
        failing += finding.health == "failing"
        out.print(f"{_MARKS[finding.health]} ", end="")
        out.print(f"{finding.subject}: {finding.sentence}", markup=False)
        if finding.advice:
            out.print(f"     -> {finding.advice}", markup=False)
    if failing:
        out.print(f"{failing} of these must be mended.")
        sys.exit(1)
    out.print("Nothing here must be mended.")
