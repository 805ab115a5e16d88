"""Feedback that looks wrong is held back for a person, before anything learns from it."""

from __future__ import annotations

import json

from loop.suspicion import Suspicion, Told, suspect
from storage.database import Database
from storage.decisions import decisions, record_decision
from storage.labelled import newest_labelled_rows
from storage.quarantine import quarantine_rows, suspend_source
from storage.versions import Version
from use_cases.use_case import UseCase


def look_for_suspects(database: Database, use_case: UseCase, holder: Version, at_ms: int) -> Suspicion:
    """Suspends sources and quarantines rows of the recent window, and enters why. Raises StorageUnavailable.

    What a person has released is not suspected again: a released source is judged by what it sent since.
    """
    with database.reading() as connection:
        newest = newest_labelled_rows(
            connection, use_case.name, use_case.policy.recent_rows, with_released=False
        )
        last = next(iter(decisions(connection, use_case.name, kind="suspicion", limit=1)), None)
    accuracy = json.loads(holder.scores_json).get("accuracy", {}).get("value")
    found = suspect(
        [
            Told(
                row.feedback_id,
                row.source,
                row.prediction.row_json,
                row.target,
                row.prediction.label,
                row.known_at_ms,
            )
            for row in newest
        ],
        most_difference=use_case.policy.suspicious_disagreement,
        expected_share=None if accuracy is None else 1 - accuracy,
    )
    held = bool(found.sources or found.rows)
    is_change = last is not None and last.decision != found.decision.decision
    is_first = last is None and found.decision.decision != "NO_ACTION"
    if not (held or is_change or is_first):
        return found
    with database.writing() as connection:
        for source in found.sources:
            suspend_source(
                connection,
                use_case.name,
                source.source,
                reason=source.reason,
                at_ms=at_ms,
                since_ms=source.since_ms,
            )
        by_reason: dict[str, list[int]] = {}
        for feedback_id, reason in found.rows.items():
            by_reason.setdefault(reason, []).append(feedback_id)
        for reason, feedback_ids in by_reason.items():
            quarantine_rows(connection, use_case.name, feedback_ids, reason=reason, at_ms=at_ms)
        record_decision(
            connection,
            use_case.name,
            kind="suspicion",
            decision=found.decision.decision,
            sentence=f"{found.decision.decision} {found.decision.reason}",
            numbers_json=json.dumps({**found.decision.numbers, "champion": holder.tag}),
            at_ms=at_ms,
        )
    return found
