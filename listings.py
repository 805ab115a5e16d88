"""Tables that commands print."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from rich.table import Table

from storage.database import Database
from storage.versions import history
from storage.versions import versions as all_versions


def version_table(database: Database, use_case: str) -> Table:
    """Every Bento of a use case, newest first: its stage, since when, why, and its scores."""
    with database.reading() as connection:
        found = all_versions(connection, use_case)
        changes = history(connection, use_case)
    table = Table(title=f"Versions of {use_case}", title_justify="left")
    for heading in ("Bento", "stage", "since (UTC)", "by", "why", "model", "scores on the holdout"):
        table.add_column(heading, overflow="fold")
    for version in found:
        last = next((change for change in changes if change.tag == version.tag), None)
        since = version.created_at_ms if last is None else last.changed_at_ms
        table.add_row(
            version.tag,
            version.stage,
            _moment(since),
            "" if last is None else last.actor,
            "" if last is None else last.reason,
            version.candidate,
            _scores(version.scores_json),
        )
    return table


def _scores(scores_json: str) -> str:
    scores = json.loads(scores_json)
    return "  ".join(
        f"{name} {score['value']:.3f}" for name, score in scores.items() if isinstance(score, dict)
    )


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
