"""Waiting for a receipt ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from loop.refusals import StorageUnavailable
from runner.durable import durable


def run_alone(waiting: Coroutine[None, None, str]) -> str:
    """In a thread without a loop: the browser's tests keep one in the thread of the tests."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, waiting).result()


def test_a_receipt_is_handed_on() -> None:
    future: Future[str] = Future()
    future.set_result("stored")
    assert run_alone(durable(future, 5)) == "stored"


def test_a_call_that_waits_too_long_is_refused_and_given_up() -> None:
    future: Future[str] = Future()
    with pytest.raises(StorageUnavailable, match="send it again later"):
        run_alone(durable(future, 0.05))
    assert future.cancelled(), "the journal will not take it up"


def test_a_call_that_is_being_stored_is_refused_in_time_and_may_end_later() -> None:
    future: Future[str] = Future()
    assert future.set_running_or_notify_cancel()
    with pytest.raises(StorageUnavailable, match="counts once"):
        run_alone(durable(future, 0.05))
    future.set_result("stored after all")


def test_why_storage_refuses_is_handed_on() -> None:
    future: Future[str] = Future()
    future.set_exception(StorageUnavailable("the database is full"))
    with pytest.raises(StorageUnavailable, match="is full"):
        run_alone(durable(future, 5))
