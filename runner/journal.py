"""One writer thread a worker: predictions committed in groups, feedback durable before it is answered.

Predictions wait at most `commit_seconds`, in a bounded queue that is counted; while storage is slow or
down, answers go on. Feedback takes everything queued before it along in its own transaction, so an id
that this worker gave out is stored before feedback on it is. Its own queue has the same bound, and refuses
where it is full; who sent it may give up before its turn, then it is not stored.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from loop.refusals import StorageUnavailable

log = logging.getLogger("rebento.journal")

#: Rows that do not wait for the time to pass: small groups keep Python's lock, and with it the answers,
#: for half a millisecond where a group of 20 ms under load would for four.
_GROUP_ROWS = 64
#: Rows of one transaction after a wait: bounds the time that other processes wait for the write lock.
_MOST_ROWS = 1_000
_RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class PredictionBatch:
    """The answers of one call, as they go into the log."""

    ids: list[str]
    rows: list[dict[str, Any]]
    vectors: np.ndarray
    labels: list[str]
    probabilities: list[dict[str, float]]
    confidences: list[float]
    """The largest probability of each row."""
    entity_ids: list[str | None]
    event_times: list[str | None]
    predicted_at_ms: int


Receipt = TypeVar("Receipt")
Call = TypeVar("Call")


class Journal(Generic[Call, Receipt]):
    """Writes through `write(batches, calls)`, which commits both in one transaction or raises.

    `write` gives one receipt a feedback call. It raises StorageUnavailable when storing may succeed
    later; any other error means that what it was given can never be stored.
    """

    def __init__(
        self,
        write: Callable[[Sequence[PredictionBatch], Sequence[Call]], Sequence[Receipt]],
        *,
        queue_rows: int,
        commit_seconds: float,
        lost: Callable[[int], None],
        waiting: Callable[[int], None],
    ) -> None:
        self._write = write
        self._queue_rows = queue_rows
        self._commit_seconds = commit_seconds
        self._lost = lost
        self._waiting = waiting
        self._batches: deque[PredictionBatch] = deque()
        self._calls: deque[tuple[Call, Future[Receipt]]] = deque()
        self._call_rows = 0
        self._rows = 0
        self._closing = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def waiting_rows(self) -> int:
        """Predictions answered and not stored yet."""
        return self._rows

    def log(self, batch: PredictionBatch) -> None:
        """Queues answers for the log; counts them as lost where the queue is full."""
        with self._wake:
            if self._rows + len(batch.ids) > self._queue_rows:
                full = True
            else:
                full = False
                self._batches.append(batch)
                before = self._rows
                self._rows += len(batch.ids)
                if before == 0 or before < _GROUP_ROWS <= self._rows:
                    self._wake.notify()
        if full:
            self._lost(len(batch.ids))

    def record(self, call: Call, rows: int = 1) -> Future[Receipt]:
        """A future that holds the receipt once the call of so many rows is durable, or StorageUnavailable.

        Cancelled before it is taken up, nothing of the call is stored.
        """
        future: Future[Receipt] = Future()
        with self._wake:
            if self._closing:
                future.set_exception(StorageUnavailable("this worker is stopping; send the feedback again"))
            elif self._calls and self._call_rows + rows > self._queue_rows:
                future.set_exception(
                    StorageUnavailable("too much feedback waits for the database; send this again later")
                )
            else:
                self._calls.append((call, future))
                self._call_rows += rows
                self._wake.notify()
        return future

    def close(self, timeout_seconds: float = 10.0) -> int:
        """Stores what waits, then stops. Gives and logs how many predictions could not be stored in time."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(timeout_seconds)
        if self._thread.is_alive() and self._rows:
            self._say_lost(self._rows)
        return self._rows

    def _run(self) -> None:
        while True:
            batches, calls = self._next_group()
            if batches or calls:
                self._waiting(self._rows)
                self._store(batches, calls)
                self._waiting(self._rows)
            elif self._closing:
                return

    def _next_group(self) -> tuple[list[PredictionBatch], list[tuple[Call, Future[Receipt]]]]:
        with self._wake:
            self._wake.wait_for(lambda: self._batches or self._calls or self._closing)
            if not self._calls and not self._closing:
                self._wake.wait_for(
                    lambda: self._calls or self._closing or self._rows >= _GROUP_ROWS, self._commit_seconds
                )
            # A caller may have given up meanwhile. From here on it cannot: its result will be set.
            calls = [pair for pair in self._calls if pair[1].set_running_or_notify_cancel()]
            self._calls.clear()
            self._call_rows = 0
            batches: list[PredictionBatch] = []
            rows = 0
            # With feedback everything goes along: its predictions must be stored no later than it.
            while self._batches and (calls or rows < _MOST_ROWS):
                batches.append(self._batches.popleft())
                rows += len(batches[-1].ids)
            return batches, calls

    def _store(self, batches: list[PredictionBatch], calls: list[tuple[Call, Future[Receipt]]]) -> None:
        try:
            receipts = self._write(batches, [call for call, _ in calls])
        except StorageUnavailable as error:
            self._put_back(batches)
            for _, future in calls:
                future.set_exception(error)
            log.warning("the prediction log waits: %s waiting_rows=%d", error, self._rows)
            with self._wake:
                closing = self._closing
                if not closing:
                    self._wake.wait_for(lambda: self._calls or self._closing, _RETRY_SECONDS)
            if closing:
                self._give_up()
        except Exception as error:
            # Not the storage but what it was given: alone, the others may still be stored.
            if len(batches) + len(calls) > 1:
                for batch in batches:
                    self._store([batch], [])
                for pair in calls:
                    self._store([], [pair])
                return
            log.exception("a group could not be stored")
            self._settle(batches)
            for batch in batches:
                self._lost(len(batch.ids))
            for _, future in calls:
                future.set_exception(error)
        else:
            self._settle(batches)
            for (_, future), receipt in zip(calls, receipts, strict=True):
                future.set_result(receipt)

    def _put_back(self, batches: list[PredictionBatch]) -> None:
        with self._wake:
            self._batches.extendleft(reversed(batches))

    def _settle(self, batches: list[PredictionBatch]) -> None:
        with self._wake:
            self._rows -= sum(len(batch.ids) for batch in batches)

    def _give_up(self) -> None:
        """While closing: one try was enough; what waits is counted as lost, so that the process ends."""
        with self._wake:
            rows = sum(len(batch.ids) for batch in self._batches)
            self._batches.clear()
        if rows:
            self._say_lost(rows)

    def _say_lost(self, rows: int) -> None:
        log.error("predictions lost at stop, the database could not be written rows=%d", rows)
        self._lost(rows)
