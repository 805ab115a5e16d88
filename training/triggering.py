"""What asks for a training beside feedback's multiples of k: quality, drift, the schedule."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import Connection

from loop.places import model_folder
from loop.triggers import Decision, quality_decision, schedule_decision
from runner.package import CONTRACT
from storage.automation import automation
from storage.counters import last_known_at_ms, production_rows
from storage.database import Database
from storage.decisions import (
    StoredDecision,
    act_on_decision,
    decisions,
    last_that_asked,
    record_decision,
    waiting_decisions,
)
from storage.labelled import newest_labelled_rows
from storage.runs import latest_end_ms, request_run, run, running_run, waiting_runs
from storage.turns import take_turn
from storage.versions import Version, champion
from training.suspecting import look_for_suspects
from use_cases.contract import Contract
from use_cases.use_case import UseCase

#: Looking costs a reading of the newest labelled rows.
_LOOK_EVERY_MS = 5_000


@dataclass
class Triggers:
    """Looks now and then at what is stored, and asks for runs where a rule says so."""

    name: str
    home: Path
    database: Database
    _looked_at_ms: int = 0
    _looked_at: tuple[int, int, str, bool] = (0, 0, "", False)
    """Labelled rows, when labels had last changed, the champion, and whether automation was paused, at the
    last look at quality."""

    def look(self, read_use_case: Callable[[], UseCase], at_ms: int) -> None:
        """One look, a few seconds after the last at the earliest. Raises StorageUnavailable."""
        if at_ms - self._looked_at_ms < _LOOK_EVERY_MS:
            return
        self._looked_at_ms = at_ms
        with self.database.reading() as connection:
            holder = champion(connection, self.name)
            rows = production_rows(connection, self.name)
            changed_at_ms = last_known_at_ms(connection, self.name)
            is_paused = automation(connection, self.name).is_paused
        if holder is None:
            return
        use_case = read_use_case()
        seen = (
            rows,
            changed_at_ms,
            holder.tag,
            is_paused,
        )  # a correction changes no count, a late clock no instant
        if seen != self._looked_at:
            if not is_paused:
                self.hold_back_suspects(use_case, at_ms)
            self._look_at_quality(use_case, holder, rows, at_ms, is_paused)
            self._looked_at = seen
        if is_paused:  # who paused it still wants to be told of quality; it leads to nothing
            return
        with self.database.writing() as connection:
            self._take_turn(connection)
            _act_on_decisions(connection, self.name, use_case.policy.feedbacks_per_training, at_ms)
            due = schedule_decision(
                use_case.policy.schedule_hours, latest_end_ms(connection, self.name), at_ms
            )
            if due.should_train and _is_idle(connection, self.name):
                request_run(connection, self.name, trigger="schedule", reason=due.reason, at_ms=at_ms)

    def _take_turn(self, connection: Connection) -> None:
        """Of two trainers on PostgreSQL each would ask for what it sees that nobody has asked for."""
        take_turn(connection, f"triggers of {self.name}", alone=True)

    def hold_back_suspects(self, use_case: UseCase, at_ms: int) -> None:
        """A look at who sent what, which each run is to have behind it. Raises StorageUnavailable."""
        with self.database.reading() as connection:
            holder = champion(connection, self.name)
        if holder is not None:
            look_for_suspects(self.database, use_case, holder, at_ms)

    def _look_at_quality(
        self, use_case: UseCase, holder: Version, rows: int, at_ms: int, is_paused: bool
    ) -> None:
        """Enters what has changed. RETRAIN asks once, and again after k more labelled rows."""
        found = realised_quality(self.database, self.home, use_case, holder)
        k = use_case.policy.feedbacks_per_training
        with self.database.writing() as connection:
            self._take_turn(connection)
            known = decisions(connection, self.name, kind="quality")
            # What was decided in a pause has asked for nothing.
            known = tuple(one for one in known if is_paused or not one.was_paused)
            for rank, earlier in enumerate(known):
                then = json.loads(earlier.numbers_json)
                if then.get("champion") != holder.tag or rows - then.get("production_rows", 0) >= k:
                    break
                # To and fro at the margin would otherwise ask at each turn.
                if earlier.decision == found.decision and (rank == 0 or found.should_train):
                    return
            record_decision(
                connection,
                self.name,
                kind="quality",
                decision=found.decision,
                sentence=f"{found.decision} {found.reason}",
                numbers_json=json.dumps({**found.numbers, "champion": holder.tag, "production_rows": rows}),
                at_ms=at_ms,
            )


def realised_quality(database: Database, home: Path, use_case: UseCase, holder: Version) -> Decision:
    """What the champion's own answers of late were worth, against its reference."""
    with database.reading() as connection:
        newest = newest_labelled_rows(connection, use_case.name, use_case.policy.judged_rows)
    # Answers of an earlier Bento say nothing of this one; of its own it has learned from none.
    rows = [row for row in newest if row.prediction.bento == holder.tag]
    try:
        contract = Contract.read(model_folder(home, holder.model_tag) / CONTRACT)
    except (OSError, ValueError) as error:
        return Decision("INVESTIGATE", f"the files of {holder.tag} cannot be read: {error}")
    reference = json.loads(holder.scores_json).get(use_case.metric, {}).get("value")
    answers = [json.loads(row.prediction.probabilities_json) for row in rows]
    return quality_decision(
        use_case.metric,
        math.nan if reference is None else float(reference),
        [row.target for row in rows],
        np.array([[one[name] for name in contract.classes] for one in answers]),
        contract.classes,
        contract.positive,
        margin=use_case.policy.quality_margin,
        identities=[row.prediction.entity_id or row.prediction.prediction_id for row in rows],
        seed=use_case.seed,
    )


def _act_on_decisions(connection: Connection, use_case: str, k: int, at_ms: int) -> None:
    """Each decision to retrain, whoever entered it, leads to one run; several waiting ones to the same."""
    waiting = waiting_decisions(connection, use_case)
    if not waiting:
        return
    newest = waiting[-1]
    run_id = None
    if all(one.kind == "drift" for one in waiting):  # quality asks once by itself, see above
        run_id = _run_that_answers(connection, newest, k)
    if run_id is None:
        made = request_run(connection, use_case, trigger=newest.kind, reason=newest.sentence, at_ms=at_ms)
        run_id = made.run_id
    for decision in waiting:
        act_on_decision(connection, decision.decision_id, run_id)


def _run_that_answers(connection: Connection, asked: StoredDecision, k: int) -> str | None:
    """The run that an earlier decision led to, where it is all that this one can ask for; else None.

    Reports are repeated while what they saw goes on. One such run is open at a time; one that has ended is
    answer enough while the champion is the same and fewer than k true answers have come: the same rows
    teach the same. A run that failed is none.
    """
    earlier = last_that_asked(connection, asked.use_case)
    if earlier is None or earlier.run_id is None:
        return None
    found = run(connection, earlier.run_id)
    if found is None or found.state == "failed":
        return None
    if found.state in ("requested", "running"):
        return found.run_id
    now, then = json.loads(asked.numbers_json), json.loads(earlier.numbers_json)
    if now.get("champion") is None or now.get("champion") != then.get("champion"):
        return None
    more = now.get("production_rows", 0) - then.get("production_rows", 0)
    return found.run_id if more < k else None


def _is_idle(connection: Connection, use_case: str) -> bool:
    return running_run(connection, use_case) is None and not waiting_runs(connection, use_case)
