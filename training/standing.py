"""Whom challengers meet: the champion, and an earlier challenger that more labels were wanted for."""

from __future__ import annotations

from sqlalchemy import Connection

from storage.runs import runs
from storage.verdicts import looks_at, verdicts_of_run
from storage.versions import Version, champion, versions
from training.making import Against

_RUNS_LOOKED_AT = 50


def against_now(connection: Connection, use_case: str) -> Against:
    """Champion, standing challenger and the number of the look, as of now."""
    holder = champion(connection, use_case)
    if holder is None:
        return Against(None, None, 1)
    look = looks_at(connection, use_case, holder.tag) + 1
    return Against(holder, _standing(connection, use_case, holder), look)


def _standing(connection: Connection, use_case: str, holder: Version) -> Version | None:
    """The newest version that waits for more labels to be compared with this champion."""
    last: dict[str, str] = {}
    for run in runs(connection, use_case, state="built", limit=_RUNS_LOOKED_AT):
        for verdict in verdicts_of_run(connection, run.run_id):
            if verdict.bento is not None and verdict.champion == holder.tag:
                last.setdefault(verdict.bento, verdict.decision)
    for version in versions(connection, use_case):
        waits = version.stage == "None" and version.files_removed_at_ms is None
        if waits and version.parent == holder.tag and last.get(version.tag) == "more labels":
            return version
    return None
