"""Whether clocks agree, as `rebento doctor` says it."""

from __future__ import annotations

import pytest

from diagnosis import stored
from loop.clock import now_ms
from storage.database import Database
from storage.versions import Version, add_version
from tests.storage.conftest import database as database
from tests.storage.conftest import postgres_url as postgres_url
from tests.storage.conftest import sqlite_url as sqlite_url
from tests.storage.conftest import url as url


@pytest.mark.parametrize(("behind_seconds", "health"), [(0, "well"), (60, "failing")])
def test_a_question_that_takes_long_is_no_difference_of_clocks(
    database: Database, behind_seconds: int, health: str
) -> None:
    """Asked five seconds ago; a row has been stored since."""
    begun_ms = now_ms() - 5_000
    stored_at_ms = begun_ms + 4_000
    with database.writing() as connection:
        add_version(
            connection, Version("a:1", "a", "a:1", "None", stored_at_ms, None, None, "", "", "{}", None)
        )
    times = iter([begun_ms])

    def clock() -> int:
        return next(times, now_ms()) - behind_seconds * 1_000

    with database.reading() as connection:
        (found,) = stored.clock(connection, "a", clock)
    assert found.health == health
