"""The health check asks for the process of one use case: the one named, else the current one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from loop.clock import now_ms
from storage.database import Database
from storage.processes import beat
from tests.homes import Home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home where a trainer of the use case `small` is there, on this host; no variable names one."""
    found = Home(tmp_path, use_case="", extra={"REBENTO_REPORTING_PORT": "1"})
    found.var.mkdir()
    database = Database.open(found.database_url)
    database.migrate()
    with database.writing() as connection:
        there = {"pid": 4711, "host": socket.gethostname(), "started_at_ms": 1, "at_ms": now_ms() + 60_000}
        beat(connection, "small", f"trainer {socket.gethostname()}", **there)
    database.close()
    yield found


def test_the_current_use_case_is_asked_for_and_another_ones_process_is_none(home: Home) -> None:
    (home.var / "current_use_case").write_text("small\n")
    assert home.rebento("healthy", "trainer").stdout.startswith("the trainer of small is there (process 4711")
    (home.var / "current_use_case").write_text("churn\n")
    wrong = home.rebento("healthy", "trainer", check=False)
    assert wrong.returncode == 1 and wrong.stderr.count("\n") == 1
    assert f"no trainer of churn on {socket.gethostname()}" in wrong.stderr
    assert "one of small is (process 4711): start it again if churn became the current" in wrong.stderr


@pytest.mark.parametrize("words", [("--use-case", "small"), ("--use-case=small",)])
def test_a_use_case_may_be_named(home: Home, words: tuple[str, ...]) -> None:
    assert "the trainer of small is there" in home.rebento("healthy", "trainer", *words).stdout


def test_the_variable_comes_before_the_one_made_current(home: Home) -> None:
    (home.var / "current_use_case").write_text("churn\n")
    named = Home(home.folder, "small", home.extra)
    assert "the trainer of small is there" in named.rebento("healthy", "trainer").stdout


def test_without_any_the_one_that_comes_along_is_meant(home: Home) -> None:
    none = home.rebento("healthy", "trainer", check=False)
    assert none.returncode == 1 and "no trainer of doctor_visits on" in none.stderr
