"""Waiting for a receipt ends."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import pytest

from loop.refusals import StorageUnavailable
from runner.durable import durable


def test_a_receipt_is_handed_on() -> None:
    future: Future[str] = Future()
    future.set_result("stored")
    assert asyncio.run(durable(future, 5)) == "stored"


def test_a_call_that_waits_too_long_is_refused_and_given_up() -> None:
    future: Future[str] = Future()
    with pytest.raises(StorageUnavailable, match="send it again later"):
        asyncio.run(durable(future, 0.05))
    assert future.cancelled(), "the journal will not take it up"


def test_a_call_that_is_being_stored_is_refused_in_time_and_may_end_later() -> None:
    future: Future[str] = Future()
    assert future.set_running_or_notify_cancel()
    with pytest.raises(StorageUnavailable, match="counts once"):
        asyncio.run(durable(future, 0.05))
    future.set_result("stored after all")


def test_why_storage_refuses_is_handed_on() -> None:
    future: Future[str] = Future()
    future.set_exception(StorageUnavailable("the database is full"))
    with pytest.raises(StorageUnavailable, match="is full"):
        asyncio.run(durable(future, 5))
