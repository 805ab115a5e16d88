"""The first version of a use case, asked for by a trainer that stands alone."""

from __future__ import annotations

from sqlalchemy import Connection

from storage.database import Database
from storage.runs import Run, request_run, running_run, runs, supersede_run, waiting_runs
from storage.turns import take_turn
from storage.versions import champion

FIRST = "first"
"""The trigger of a run that is there because nothing is in Production."""

_MINUTE_MS = 60_000
_LONGEST_WAIT_MINUTES = 15


def ask_for_first(database: Database, use_case: str, at_ms: int) -> Run | None:
    """The run that was asked for, since nothing is in Production and no run is open; None: none is wanted.

    Of several trainers, on however many hosts, one asks. After a failure it is asked for again when
    `wait_ms` has passed: rows that are not there yet may come. A request that waits when another way has
    brought a first version ends as superseded. Raises StorageUnavailable.
    """
    with database.reading() as connection:
        if not _is_wanted(connection, use_case, at_ms) and not _needless(connection, use_case):
            return None
    with database.writing() as connection:
        # The turn of whoever claims a run. Two trainers would each see that nobody has asked.
        take_turn(connection, f"training runs of {use_case}", alone=True)
        for run in _needless(connection, use_case):
            supersede_run(connection, run.run_id, at_ms, "the version in Production")
        if not _is_wanted(connection, use_case, at_ms):
            return None
        reason = "nothing is in Production"
        return request_run(connection, use_case, trigger=FIRST, reason=reason, at_ms=at_ms)


def wait_ms(attempts: int) -> int:
    """How long after so many attempts that put nothing in Production the next is asked for.

    >>> [wait_ms(attempts) // 60_000 for attempts in (0, 1, 2, 3, 4, 5, 9)]
    [0, 1, 2, 4, 8, 15, 15]
    """
    return min(2 ** (attempts - 1), _LONGEST_WAIT_MINUTES) * _MINUTE_MS if attempts else 0


def _is_wanted(connection: Connection, use_case: str, at_ms: int) -> bool:
    # Runs before the champion: a run that ends between the two looks has brought one.
    if running_run(connection, use_case) is not None or waiting_runs(connection, use_case):
        return False
    if champion(connection, use_case) is not None:
        return False
    earlier = [run for run in runs(connection, use_case, limit=20) if run.trigger == FIRST]
    ended_at_ms = max((run.finished_at_ms or 0 for run in earlier), default=0)
    return at_ms - ended_at_ms >= wait_ms(len(earlier))


def _needless(connection: Connection, use_case: str) -> list[Run]:
    if champion(connection, use_case) is None:
        return []
    return [run for run in waiting_runs(connection, use_case) if run.trigger == FIRST]
