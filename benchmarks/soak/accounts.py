"""What a soak's callers were told against what is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

from benchmarks.soak.callers import Account
from storage.counters import production_rows
from storage.database import Database
from storage.promotions import open_promotions, promotions
from storage.runs import runs
from storage.versions import versions

#: A call that fails within so long of a worker's end was held by it.
_NEAR_SECONDS = 1.0


def broken_promises(
    database: Database, account: Account, kills: Sequence[float], restarts: int, *, k: int, use_case: str
) -> list[str]:
    """A sentence for each promise that was not kept.

    `kills`: when workers were killed; `restarts`: how often the supervisor was, with which counters begin
    again at nothing.
    """
    broken = [
        f"a call failed although no worker was killed: {what} (from {began:.2f} to {ended:.2f})"
        for began, ended, what in account.failed
        if not any(began - _NEAR_SECONDS <= kill <= ended + _NEAR_SECONDS for kill in kills)
    ]
    broken += [
        f"{name} fell {count} times, the supervisor was killed {restarts} times"
        for name, count in account.resets.items()
        if count > restarts
    ]
    with database.reading() as connection:
        broken += _predictions(connection, account, kills)
        broken += _feedback(connection, account)
        broken += _training(connection, k, use_case)
        broken += _versions(connection, use_case)
    return broken


def _predictions(connection: Connection, account: Account, kills: Sequence[float]) -> list[str]:
    stored = _column(connection, "SELECT prediction_id FROM predictions")
    lost = [at for one, at in account.answered.items() if one not in stored]
    unexplained = [at for at in lost if not any(abs(at - kill) <= _NEAR_SECONDS for kill in kills)]
    if not unexplained:
        return []
    return [f"{len(unexplained)} answered predictions are not in the log, and no worker was killed"]


def _feedback(connection: Connection, account: Account) -> list[str]:
    told = _column(connection, "SELECT prediction_id FROM feedback")
    missing = set(account.acknowledged) - set(told)
    twice = [one for one, count in told.items() if count > 1]
    left = _column(
        connection,
        "SELECT prediction_id FROM feedback WHERE state = 'pending' AND prediction_id IN "
        "(SELECT prediction_id FROM predictions)",
    )
    broken = []
    if missing:
        broken.append(f"{len(missing)} accepted feedbacks are not stored")
    if twice:
        broken.append(f"{len(twice)} feedbacks are stored more than once")
    if left:
        broken.append(f"{left.total()} feedbacks wait for predictions that are in the log")
    return broken


def _training(connection: Connection, k: int, use_case: str) -> list[str]:
    rows = production_rows(connection, use_case)
    asked = [run for run in runs(connection, use_case, limit=10_000) if run.trigger == "feedback"]
    broken = []
    if len(asked) != rows // k:
        broken.append(f"{rows:,} labelled rows asked for {len(asked)} trainings, {rows // k} are due")
    count = connection.execute(
        text("SELECT count(DISTINCT prediction_id) FROM feedback WHERE state = 'joined'")
    ).scalar_one()
    if count != rows:
        broken.append(f"{rows:,} rows are counted, {count:,} predictions have feedback")
    failed = [f"{run.run_id}: {run.error}" for run in asked if run.state == "failed"]
    return broken + [f"a training run failed: {one}" for one in failed]


def _versions(connection: Connection, use_case: str) -> list[str]:
    stages = Counter(one.stage for one in versions(connection, use_case))
    broken = []
    if stages["Production"] != 1:
        broken.append(f"{stages['Production']} versions are in Production")
    if still := open_promotions(connection, use_case):
        broken.append(f"promotions are still open: {still}")
    errors = Counter(str(one.error) for one in promotions(connection, use_case, limit=10_000) if one.error)
    print(f"promotions that failed: {dict(errors)}")
    return broken


def _column(connection: Connection, statement: str) -> Counter[Any]:
    return Counter(value for (value,) in connection.execute(text(statement)))
