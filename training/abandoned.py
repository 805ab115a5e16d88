"""Training runs whose process is gone: asked for again, or marked failed with the reason."""

from __future__ import annotations

from sqlalchemy import Connection

from loop.claims import Claim, is_gone
from loop.refusals import NotTrainable
from storage.runs import Run, fail_run, requeue_run, running_run
from storage.turns import take_turn

#: How often a run is begun: one that kills its process each time would do so for ever.
MOST_ATTEMPTS = 3


class RunTaken(NotTrainable):
    """A training run that another process does, or did, or that waits for another to end."""


def abandoned_run(connection: Connection, use_case: str, here: Claim, at_ms: int) -> Run | None:
    """The run that counts as running though nobody does it. `here` is who asks."""
    run = running_run(connection, use_case)
    if run is None:
        return None
    held = Claim.parse(run.claimed_by or "")
    return run if is_gone(held, run.beat_at_ms or run.started_at_ms, here=here, at_ms=at_ms) else None


def settle_abandoned(connection: Connection, use_case: str, here: str, at_ms: int) -> str | None:
    """What was done with an abandoned run, a sentence; None: there is none. In a writing transaction.

    A command's run fails, for the person has seen it end; a trainer's waits again, and fails at last.
    """
    # The turn of `start_run`: between look and move nobody else takes the run up and begins it again.
    take_turn(connection, f"training runs of {use_case}", alone=True)
    claim = Claim.parse(here)
    run = None if claim is None else abandoned_run(connection, use_case, claim, at_ms)
    if run is None:
        return None
    held = Claim.parse(run.claimed_by or "")
    attempts = run.attempts + 1
    if held is not None and held.role == "command":
        reason = "its command was killed; run `rebento train` again"
    elif attempts >= MOST_ATTEMPTS:
        reason = (
            f"it was begun {attempts} times, and the last trainer was killed in the middle of it: the "
            "machine may lack memory; see the trainer's log, then run `rebento train`"
        )
    else:
        requeue_run(connection, run.run_id, at_ms, f"its trainer ({run.claimed_by}) was killed")
        return f"the run waits again, for its trainer was killed run={run.run_id} claimed_by={run.claimed_by}"
    fail_run(connection, run.run_id, at_ms, reason)
    return f"the run failed: {reason} run={run.run_id} claimed_by={run.claimed_by}"
