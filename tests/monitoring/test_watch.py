"""`rebento grafana watch` against a FAKE Grafana: killed, started again, and while Grafana is away."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage.database import Database
from storage.runs import fail_run, request_run, start_run
from tests.homes import BIN, Home, wait_for
from tests.monitoring.fake_grafana import fake_grafana

pytestmark = pytest.mark.slow

_PATIENCE_SECONDS = 90


@contextmanager
def _watching(home: Home) -> Iterator[None]:
    """Killed at the end, as a container that is out of memory."""
    process = subprocess.Popen(
        [BIN / "rebento", "grafana", "watch"],
        cwd=home.folder,
        env=home.environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait(30)


def _a_run_fails(database: Database, at_ms: int) -> None:
    with database.writing() as connection:
        run = request_run(connection, "doctor_visits", trigger="person", reason="why not", at_ms=at_ms)
        start_run(connection, run.run_id, at_ms)
        fail_run(connection, run.run_id, at_ms + 5, "no memory")


def test_each_event_is_marked_once_whoever_was_away(tmp_path: Path) -> None:
    with fake_grafana() as fake:
        told = {"REBENTO_GRAFANA_URL": fake.address, "REBENTO_GRAFANA_TOKEN": "right"}
        home = Home(tmp_path, "doctor_visits", told)
        database = Database.open(home.database_url)
        database.migrate()
        begun_ms = 1_700_000_000_000
        _a_run_fails(database, begun_ms)
        with _watching(home):
            wait_for(lambda: len(fake.annotations) == 1, "the first mark", _PATIENCE_SECONDS)
        _a_run_fails(database, begun_ms + 1_000)
        fake.is_away = True
        with _watching(home):
            refused = fake.asked
            wait_for(lambda: fake.asked >= refused + 2, "two looks in vain", _PATIENCE_SECONDS)
            fake.is_away = False
            wait_for(lambda: len(fake.annotations) == 2, "the second mark", _PATIENCE_SECONDS)
            _a_run_fails(database, begun_ms + 2_000)
            wait_for(lambda: len(fake.annotations) == 3, "the third mark", _PATIENCE_SECONDS)
        database.close()
        times = [one["time"] for one in fake.annotations]
    assert times == [begun_ms + 5, begun_ms + 1_005, begun_ms + 2_005]
