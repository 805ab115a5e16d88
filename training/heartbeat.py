"""A run that goes on says so: every two seconds, with how far it is and what it has done so far."""

from __future__ import annotations

import json
import logging
import threading
from types import TracebackType
from typing import Self

from loop.clock import now_ms
from loop.progress import Progress
from loop.refusals import StorageUnavailable
from loop.tolerance import Tolerated
from storage.database import Database
from storage.runs import Run, RunNotOpen, beat_run

log = logging.getLogger("rebento.training")

_BEAT_SECONDS = 2.0
_MOST_LINES = 300
"""Of a run's log; it has one or two lines for each candidate and challenger."""


class Heartbeat:
    """A Progress that is shown on, and stored with the run while the block lasts.

    Raises RunNotOpen at the next step once the run is in other hands than `claimed_by`: what it came to
    would not be taken.
    """

    def __init__(self, database: Database, run: Run, claimed_by: str, shown: Progress) -> None:
        self._database = database
        self._run_id = run.run_id
        self._claimed_by = claimed_by
        self._shown = shown
        self._stage = ""
        self._done = 0
        self._total: int | None = None
        # What an earlier attempt came to, of which nobody else tells.
        self._log: list[tuple[int, str]] = json.loads(run.progress_json or "{}").get("log", [])
        self._note(f"begun by {claimed_by}")
        self._is_lost = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def stage(self, text: str, total: int | None = None) -> None:
        self._must_be_ours()
        self._stage, self._done, self._total = text, 0, total
        self._note(text if total is None else f"{text} ({total} steps)")
        self._shown.stage(text, total)

    def advance(self, steps: int = 1) -> None:
        self._must_be_ours()
        self._done += steps
        self._shown.advance(steps)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _must_be_ours(self) -> None:
        if self._is_lost:
            raise RunNotOpen(
                f"the training run {self._run_id} was given to another process, for this one was silent"
            )

    def _note(self, text: str) -> None:
        self._log = [*self._log, (now_ms(), text)][-_MOST_LINES:]

    def _run(self) -> None:
        surely_beat = Tolerated(f"the sign of life of the training run {self._run_id}", log, self._beat)
        is_last = False
        while True:
            surely_beat()
            if is_last:
                return
            is_last = self._ended.wait(_BEAT_SECONDS)

    def _beat(self) -> None:
        stage = {"stage": self._stage, "done": self._done, "total": self._total}
        told = json.dumps({**stage, "log": self._log})
        try:
            with self._database.writing(durable=False) as connection:
                is_ours = beat_run(connection, self._run_id, now_ms(), told, claimed_by=self._claimed_by)
            self._is_lost = not is_ours
        except StorageUnavailable as refusal:  # the run itself needs the database only at its end
            log.warning("a training run could not say how far it is run=%s: %s", self._run_id, refusal)
