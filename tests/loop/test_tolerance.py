"""A mistake in what is repeated ends nothing and fills no log."""

from __future__ import annotations

import logging

import pytest

from loop.tolerance import Tolerated


def test_work_that_fails_is_repeated_and_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    done: list[float] = []
    moments = [0.0]

    def broken() -> None:
        raise KeyError("no such worker")

    look = Tolerated(
        "a look",
        logging.getLogger("rebento"),
        broken,
        lambda: done.append(moments[-1]),
        clock=lambda: moments[-1],
    )
    for now in (0.0, 1.0, 59.0, 61.0):
        moments.append(now)
        look()
    assert done == [0.0, 1.0, 59.0, 61.0], "the work after it is done all the same"
    assert [record.getMessage() for record in caplog.records] == [
        "a look failed and will be repeated failures=1",
        "a look failed and will be repeated failures=3",
    ]
    assert "no such worker" in caplog.text
