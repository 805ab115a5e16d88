"""What changed the model, or tried to, as moments with a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from storage.promotions import promotions
from storage.runs import runs


@dataclass(frozen=True, slots=True)
class LoopEvent:
    """One moment."""

    key: str
    """Of its own in the use case."""
    kind: str
    """'promotion', 'rollback', 'failed' (a promotion or rollback that did not last) or 'training'."""
    at_ms: int
    text: str


def loop_events(connection: Connection, use_case: str, limit: int = 200) -> tuple[LoopEvent, ...]:
    """The last promotions and rollbacks, those that failed once more, and training runs; oldest first.

    What an event says never changes: it may have been written elsewhere already.
    """
    found = []
    for one in promotions(connection, use_case, limit=limit):
        if one.state in ("done", "failed", "probation") and one.accepted_at_ms is not None:
            text = f"{one.kind} of {one.tag} by {one.actor}: {one.reason}"
            found.append(LoopEvent(f"promotion {one.promotion_id}", one.kind, one.accepted_at_ms, text))
        if one.state == "failed" and one.finished_at_ms is not None:
            then = (
                f"{one.previous} answers again" if one.accepted_at_ms and one.previous else "nothing changed"
            )
            text = f"the {one.kind} of {one.tag} failed, {then}: {one.error}"
            found.append(
                LoopEvent(f"promotion {one.promotion_id} failed", "failed", one.finished_at_ms, text)
            )
    for run in runs(connection, use_case, limit=limit):
        if run.state in ("built", "failed") and run.finished_at_ms is not None:
            came = f"built {run.bento}" if run.state == "built" else f"failed: {run.error}"
            text = f"training ({run.trigger}: {run.reason}) {came}"
            found.append(LoopEvent(f"training {run.run_id}", "training", run.finished_at_ms, text))
    return tuple(sorted(found, key=lambda one: (one.at_ms, one.key)))
