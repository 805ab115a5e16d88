"""`rebento grafana watch` against a FAKE Grafana: killed, started again, and while Grafana is away."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from commands.grafana import Turn
from loop.claims import Claim
from loop.clock import now_ms
from storage.database import Database
from storage.processes import all_alive
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


def _watchers(database: Database) -> int:
    with database.reading() as connection:
        return len(all_alive(connection, "doctor_visits", "annotator", at_ms=now_ms()))


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
            assert "the annotator of doctor_visits is there" in home.rebento("healthy", "annotations").stdout
            with _watching(home):  # on another host, say
                wait_for(lambda: _watchers(database) == 2, "both to be there", _PATIENCE_SECONDS)
                _a_run_fails(database, begun_ms + 2_000)
                wait_for(lambda: len(fake.annotations) == 3, "the third mark", _PATIENCE_SECONDS)
        database.close()
        times = [one["time"] for one in fake.annotations]
    assert times == [begun_ms + 5, begun_ms + 1_005, begun_ms + 2_005]


def test_of_several_the_youngest_marks_and_another_once_it_has_left_or_is_silent(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'rebento.sqlite'}")
    database.migrate()

    def turn(pid: int, clock: Clock) -> Turn:
        return Turn(database, "small", Claim("annotator", "here", pid, clock()), clock)

    clock = Clock()
    old = turn(1, clock)
    assert old.take()
    clock.now_ms += 1
    young = turn(2, clock)
    assert old.take(), "the other has not said that it is there"
    assert young.take() and not old.take()
    young.leave()
    assert old.take()
    assert young.take() and not old.take()
    clock.now_ms += 31_000
    assert old.take(), "the other is silent"
    database.close()


class Clock:
    """Stands still but when it is told."""

    def __init__(self) -> None:
        self.now_ms = now_ms()

    def __call__(self) -> int:
        return self.now_ms
