"""A stream sent through Rebento's own code and a real database, as the runner and the trainer would do it.

Only time is not real: a training takes none, and a promotion is done at once.
"""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection

from benchmarks.streams import Stream
from loop.holdout import is_holdout
from runner.rows import RowChecker
from storage.database import Database
from storage.feedback import Feedback, record_feedback
from storage.predictions import Prediction, record_predictions
from storage.promotions import promote_now
from storage.runs import waiting_runs
from storage.versions import champion
from training.opened import OpenedVersion, open_version
from training.outcome import Outcome
from training.run import train
from training.suspecting import look_for_suspects
from use_cases.use_case import UseCase

STARTS_AT_MS = 1_700_000_000_000
ROW_MS = 60_000
"""Between two rows of a stream."""

_LOOK_EVERY_ROWS = 240

OnRun = Callable[[Outcome, int], None]


@dataclass
class Replay:
    """What a stream was answered."""

    answers: list[np.ndarray] = field(default_factory=list)
    """Probabilities (classes,) of each row, in order."""
    bentos: list[str] = field(default_factory=list)
    """Which version gave each."""
    outcomes: list[Outcome] = field(default_factory=list)
    promotions: list[tuple[int, str]] = field(default_factory=list)
    """After how many rows, and which challenger."""
    suspended: list[tuple[int, str]] = field(default_factory=list)
    """After how many rows, and which source."""
    seconds: float = 0.0

    @property
    def probabilities(self) -> np.ndarray:
        return np.array(self.answers)


def replay(stream: Stream, folder: Path, on_run: OnRun | None = None) -> Replay:
    """Everything from the first training on, in `folder`."""
    began = time.perf_counter()
    installation = _Installation.of(stream, folder)
    found = Replay()
    rows, size = stream.rows(), stream.step_rows
    for start in range(0, len(rows), size):
        installation.predict(rows[start : start + size], start, found)
        arrived = start + size - stream.delay_rows
        installation.tell(range(max(0, arrived - size), max(0, arrived)), found)
        installation.train_where_asked(start + size, found, on_run)
    installation.database.close()
    found.seconds = time.perf_counter() - began
    return found


@dataclass
class _Installation:
    stream: Stream
    folder: Path
    use_case: UseCase
    database: Database
    serving: OpenedVersion
    rows: int = 0
    told: int = 0
    """Labels since the last look for suspects."""

    @classmethod
    def of(cls, stream: Stream, folder: Path) -> _Installation:
        folder.mkdir(parents=True, exist_ok=True)
        stream.reference.to_csv(folder / "reference.csv", index=False)
        use_case = UseCase.from_yaml(stream.yaml, stream.name, folder=folder)
        database = Database.open(f"sqlite:///{folder / 'var' / 'rebento.db'}")
        database.migrate()
        train(
            use_case,
            home=folder / "var",
            data=folder,
            database=database,
            trigger="first",
            clock=lambda: _moment(0),
        )
        return cls(stream, folder, use_case, database, _serving(use_case, database, folder))

    def predict(self, rows: list[dict[str, Any]], start: int, found: Replay) -> None:
        """As the runner answers and logs them."""
        serving, at_ms = self.serving, _at_ms(start)
        checked = RowChecker(serving.contract).check(rows)
        answered = serving.graph.answer(checked.numbers, checked.categories)
        logged = []
        for place, (row, vector) in enumerate(zip(rows, answered.vectors, strict=True)):
            probabilities = answered.probabilities[place]
            name = f"{start + place:08d}"
            entity = None if self.stream.id is None else str(row[self.stream.id])
            logged.append(
                Prediction(
                    prediction_id=name,
                    use_case=self.use_case.name,
                    bento=serving.tag,
                    predicted_at_ms=at_ms,
                    row_json=json.dumps(row),
                    vector=vector.astype("<f4").tobytes(),
                    label=answered.labels[place],
                    probabilities_json=json.dumps(
                        dict(zip(serving.contract.classes, probabilities.tolist(), strict=True))
                    ),
                    confidence=float(probabilities.max()),
                    entity_id=entity,
                    event_time=None,
                    origin="request",
                    is_holdout=is_holdout(entity or name, self.use_case.holdout, self.use_case.name),
                )
            )
            found.answers.append(probabilities.astype(np.float64))
            found.bentos.append(serving.tag)
        k = self.use_case.policy.feedbacks_per_training
        with self.database.writing(durable=False) as connection:
            record_predictions(connection, logged, k)
        self.rows = start + len(rows)

    def tell(self, places: range, found: Replay) -> None:
        """The true answers of these rows, as their sources say them, and the look at who said what."""
        if not places:
            return
        items = [
            Feedback(
                prediction_id=f"{place:08d}",
                target=self.stream.told[place],
                source=self.stream.sources[place],
                key=None,
                # Each in its own second: a burst would be suspicious.
                received_at_ms=_at_ms(self.rows) + 1_000 * turn,
                prediction=None,
            )
            for turn, place in enumerate(places)
        ]
        k = self.use_case.policy.feedbacks_per_training
        with self.database.writing(durable=False) as connection:
            record_feedback(connection, self.use_case.name, items, k)
        self.told += len(items)
        if self.told >= _LOOK_EVERY_ROWS:
            self.told = 0
            self.look(items[-1].received_at_ms, found)

    def look(self, at_ms: int, found: Replay) -> None:
        """For suspicious feedback, as the trainer does every few seconds."""
        with self.database.reading() as connection:
            holder = champion(connection, self.use_case.name)
        assert holder is not None
        suspicion = look_for_suspects(self.database, self.use_case, holder, at_ms)
        found.suspended += [(self.rows, one.source) for one in suspicion.sources]

    def train_where_asked(self, rows: int, found: Replay, on_run: OnRun | None) -> None:
        """As the trainer does: the runs that feedback has asked for, promoted where they are proven."""
        with self.database.reading() as connection:
            waiting = waiting_runs(connection, self.use_case.name)
        for run in waiting:
            at_ms = _at_ms(rows) + 1_000 * self.stream.step_rows

            def promote(connection: Connection, tag: str, reason: str, at_ms: int = at_ms) -> str:
                promote_now(
                    connection,
                    self.use_case.name,
                    tag,
                    kind="promotion",
                    actor="judge",
                    reason=reason,
                    at_ms=at_ms,
                )
                return "it is in Production."

            outcome = train(
                self.use_case,
                home=self.folder / "var",
                data=self.folder,
                database=self.database,
                requested=run,
                clock=lambda at_ms=at_ms: _as_datetime(at_ms),
                on_proven=promote,
            )
            found.outcomes.append(outcome)
            before = self.serving.tag
            self.serving = _serving(self.use_case, self.database, self.folder)
            if self.serving.tag != before:
                found.promotions.append((rows, outcome.verdicts[0].challenger))
            if on_run is not None:
                on_run(outcome, rows)


def _serving(use_case: UseCase, database: Database, folder: Path) -> OpenedVersion:
    with database.reading() as connection:
        holder = champion(connection, use_case.name)
    assert holder is not None
    return open_version(use_case, holder, folder / "var")


def _at_ms(rows: int) -> int:
    return STARTS_AT_MS + rows * ROW_MS


def _moment(rows: int) -> datetime.datetime:
    return _as_datetime(_at_ms(rows))


def _as_datetime(at_ms: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC)
