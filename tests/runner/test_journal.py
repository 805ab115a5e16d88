"""The writer thread: groups, order, bounds, and what it does when storage is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

import numpy as np
import pytest

from loop.refusals import StorageUnavailable
from runner.journal import Journal, PredictionBatch


def batch(*ids: str) -> PredictionBatch:
    n = len(ids)
    return PredictionBatch(
        list(ids),
        [{}] * n,
        np.zeros((n, 1), np.float32),
        ["a"] * n,
        [{"a": 1.0}] * n,
        [1.0] * n,
        [None] * n,
        [None] * n,
        0,
    )


class Storage:
    """Keeps what is written, in order; `broken` and `gate` say when it cannot."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.broken: Callable[[Sequence[str]], Exception | None] = lambda entries: None
        self.gate = threading.Event()
        self.gate.set()

    def write(self, batches: Sequence[PredictionBatch], calls: Sequence[str]) -> list[str]:
        self.gate.wait(60)
        entries = [i for b in batches for i in b.ids] + list(calls)
        error = self.broken(entries)
        if error is not None:
            raise error
        self.groups.append(entries)
        return [f"stored {call}" for call in calls]

    @property
    def stored(self) -> list[str]:
        return [entry for group in self.groups for entry in group]


@contextmanager
def journal(
    storage: Storage, rows: int = 1_000, seconds: float = 0.02
) -> Iterator[tuple[Journal, list[int]]]:
    lost: list[int] = []
    made = Journal(
        storage.write, queue_rows=rows, commit_seconds=seconds, lost=lost.append, waiting=lambda rows: None
    )
    try:
        yield made, lost
    finally:
        made.close()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def test_predictions_of_a_moment_are_stored_in_one_group() -> None:
    storage = Storage()
    with journal(storage, seconds=60) as (made, _):
        for i in range(64):  # which is as many as are not kept waiting for the time to pass
            made.log(batch(str(i)))
        wait_for(lambda: len(storage.stored) == 64)
    assert len(storage.groups) == 1


def test_feedback_does_not_wait_and_takes_earlier_predictions_along() -> None:
    storage = Storage()
    with journal(storage, seconds=60) as (made, _):
        made.log(batch("p1", "p2"))
        assert made.record("f1").result(30) == "stored f1"
    assert storage.stored[:3] == ["p1", "p2", "f1"]


def test_answers_go_on_while_storage_is_away_and_the_log_follows() -> None:
    storage = Storage()
    storage.broken = lambda entries: StorageUnavailable("away")
    with journal(storage) as (made, lost):
        made.log(batch("p1"))
        with pytest.raises(StorageUnavailable):
            made.record("f1").result(30)
        made.log(batch("p2"))
        storage.broken = lambda entries: None
        wait_for(lambda: storage.stored == ["p1", "p2"])
        assert made.record("f2").result(30) == "stored f2"
    assert lost == []


def test_a_full_queue_counts_what_it_turns_away() -> None:
    storage = Storage()
    storage.gate.clear()
    with journal(storage, rows=3) as (made, lost):
        made.log(batch("p1", "p2"))
        made.log(batch("p3"))
        made.log(batch("p4", "p5"))
        assert lost == [2]
        assert made.waiting_rows == 3
        storage.gate.set()
        wait_for(lambda: made.waiting_rows == 0)
    assert storage.stored == ["p1", "p2", "p3"]


def test_one_entry_that_can_never_be_stored_takes_no_other_with_it() -> None:
    storage = Storage()
    storage.broken = lambda entries: ValueError("poison") if "bad" in entries else None
    storage.gate.clear()
    with journal(storage) as (made, lost):
        made.log(batch("p1"))
        futures: list[Future[str]] = [made.record(call) for call in ("f1", "bad", "f2")]
        storage.gate.set()
        assert futures[0].result(30) == "stored f1"
        assert futures[2].result(30) == "stored f2"
        with pytest.raises(ValueError, match="poison"):
            futures[1].result(30)
    assert sorted(storage.stored) == ["f1", "f2", "p1"]
    assert lost == []


def test_closing_stores_what_waits_and_refuses_more() -> None:
    storage = Storage()
    with journal(storage, seconds=60) as (made, _):
        made.log(batch("p1"))
        assert made.close() == 0
        assert storage.stored == ["p1"]
        with pytest.raises(StorageUnavailable, match="stopping"):
            made.record("f1").result(30)


def test_closing_with_storage_away_ends_and_counts_the_loss() -> None:
    storage = Storage()
    storage.broken = lambda entries: StorageUnavailable("away")
    with journal(storage) as (made, lost):
        made.log(batch("p1", "p2"))
        made.close()
    assert lost == [2]


def test_a_call_that_was_given_up_does_not_end_the_writer() -> None:
    storage = Storage()
    storage.gate.clear()
    with journal(storage) as (made, _):
        first = made.record("f1")
        wait_for(lambda: first.running())  # it is being written: too late to give it up
        given_up = made.record("f2")
        assert given_up.cancel() and not first.cancel()
        storage.gate.set()
        assert first.result(30) == "stored f1"
        assert made.record("f3").result(30) == "stored f3"
    assert storage.stored == ["f1", "f3"]


def test_feedback_that_waits_is_bounded_and_more_is_refused() -> None:
    storage = Storage()
    storage.gate.clear()
    with journal(storage, rows=3) as (made, _):
        first = made.record("f1", 2)
        wait_for(lambda: first.running())
        waiting = [made.record("f2", 2), made.record("f3")]
        with pytest.raises(StorageUnavailable, match="too much feedback"):
            made.record("f4").result(30)
        storage.gate.set()
        assert [one.result(30) for one in (first, *waiting)] == ["stored f1", "stored f2", "stored f3"]
        assert made.record("f5", 3).result(30) == "stored f5"


def test_one_call_larger_than_the_bound_is_taken_where_none_waits() -> None:
    storage = Storage()
    with journal(storage, rows=3) as (made, _):
        assert made.record("f1", 10).result(30) == "stored f1"


def test_closing_while_storage_says_nothing_ends_and_counts_the_loss(
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = Storage()
    with journal(storage, seconds=0) as (made, lost):
        storage.gate.clear()
        made.log(batch("p1", "p2"))
        assert made.close(timeout_seconds=0.1) == 2
        assert lost == [2] and "predictions lost at stop" in caplog.text
        storage.gate.set()
