"""Promotions seen through, undone and refused, by a real supervisor."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.homes import wait_for
from tests.supervisor.conftest import SmallHome


@contextmanager
def busy(home: SmallHome) -> Iterator[list[tuple[int, str]]]:
    """Callers that hardly rest: status and Bento of each answer, in order. None may be refused or cut.

    Each connection stays in the kernel's tables for a minute or two after it is closed. Without any rest two
    tests at once fill those tables, and connections of all processes are refused or cut.
    """
    seen: list[tuple[int, str]] = []
    broken: list[Exception] = []
    stop = threading.Event()

    def call() -> None:
        try:
            while not stop.wait(0.005):
                seen.append(home.ask()[:2])
        except Exception as error:
            broken.append(error)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        print(f"callers that were refused or cut: {broken}")
    assert not broken


def lately(seen: list[tuple[int, str]]) -> set[tuple[int, str]]:
    """The last twenty answers; those of workers that have just left may be among them for a moment."""
    return set(seen[-20:])


@pytest.mark.slow
def test_a_promotion_moves_all_answers_and_drops_none(home: SmallHome) -> None:
    with home.supervised(probation_seconds=8) as supervisor, busy(home) as seen:
        asked = home.request("b")
        home.wait(asked, "probation")
        wait_for(lambda: home.answers() == "small:b", "the new Bento")
        assert len(home.workers(supervisor, "a")) == 2, "the old ones stay warm"
        done = home.wait(asked, "done")
        assert (home.champion, done.previous) == ("small:b", "small:a")
        wait_for(lambda: not home.workers(supervisor, "a"), "the old ones to leave")
        wait_for(lambda: lately(seen) == {(200, "small:b")}, "the new Bento alone")
    assert {status for status, _ in seen} == {200}


@pytest.mark.slow
def test_promotions_and_their_failure_on_postgresql(home_on_postgresql: SmallHome) -> None:
    home = home_on_postgresql
    with home.supervised(), busy(home) as seen:
        first = home.request("b")
        home.wait(first, "probation")
        home.behave("c", status=500)
        failed = home.wait(home.request("c"), "failed")
        assert (home.state(first), failed.previous) == ("done", "small:b")
        wait_for(lambda: seen[-1] == (200, "small:b"), "the one before")
        assert home.champion == "small:b"


@pytest.mark.slow
def test_a_bento_whose_workers_end_is_not_promoted_and_nobody_notices(home: SmallHome) -> None:
    home.behave("b", exit=3)
    with home.supervised() as supervisor, busy(home) as seen:
        failed = home.wait(home.request("b"), "failed")
        assert failed.error == "small:b cannot serve here; the line above says why"
        home.behave("c", exit=1)
        failed = home.wait(home.request("c"), "failed")
        assert "ended 3 times before they were ready, last with code 1" in str(failed.error)
        assert len(home.workers(supervisor, "a")) == 2
    assert set(seen) == {(200, "small:a")}
    assert home.champion == "small:a"


@pytest.mark.slow
def test_a_bento_that_is_not_ready_in_time_is_not_promoted(home: SmallHome) -> None:
    home.behave("b", load_seconds=600)
    # Those of the first Bento have no longer than that either.
    with home.supervised(ready_seconds=12) as supervisor:
        failed = home.wait(home.request("b"), "failed")
        assert failed.error == "small:b was not ready within 12 seconds"
        wait_for(lambda: not home.workers(supervisor, "b"), "its workers to be gone")
        assert home.answers() == "small:a"


def test_a_bento_whose_files_are_gone_is_not_promoted(home: SmallHome) -> None:
    (home.folder / "bentos" / "small-b").rename(home.folder / "elsewhere")
    with home.supervised():
        assert home.wait(home.request("b"), "failed").error == "the files of small:b are gone"
        home.wait(home.request("c"), "probation")
        wait_for(lambda: home.answers() == "small:c", "the next one")


def test_errors_on_probation_bring_the_old_one_back_at_once(home: SmallHome) -> None:
    home.behave("b", status=500)
    with home.supervised() as supervisor, busy(home) as seen:
        failed = home.wait(home.request("b"), "failed")
        assert "answers were errors of the server (500)" in str(failed.error)
        wait_for(lambda: not home.workers(supervisor, "b"), "the new ones to leave")
        wait_for(lambda: lately(seen) == {(200, "small:a")}, "the old one alone")
    assert (500, "small:b") in seen
    assert home.champion == "small:a"


@pytest.mark.slow
def test_crashes_on_probation_bring_the_old_one_back(home: SmallHome) -> None:
    with home.supervised() as supervisor:
        asked = home.request("b")
        home.wait(asked, "probation")
        home.wait_for_handover(asked)
        for _ in range(2):
            wait_for(lambda: len(home.workers(supervisor, "b")) == 2, "both workers")
            victim = home.workers(supervisor, "b")[0]
            victim.kill()
            wait_for(lambda victim=victim: victim not in home.workers(supervisor, "b"), "its end")  # type: ignore[misc]
        failed = home.wait(asked, "failed")
        assert "its workers crashed 2 times" in str(failed.error)
        wait_for(lambda: home.answers() == "small:a", "the old one")
        assert home.champion == "small:a"


@pytest.mark.slow
def test_workers_that_do_not_begin_to_accept_are_sent_away(home: SmallHome) -> None:
    home.behave("b", deaf=True)
    with home.supervised() as supervisor, busy(home) as seen:
        failed = home.wait(home.request("b"), "failed")
        assert failed.error == "its workers did not begin to accept within 10 seconds"
        wait_for(lambda: home.champion == "small:a", "the stage to go back")
        home.behave("b")
        for worker in home.workers(supervisor, "b"):
            with contextlib.suppress(psutil.NoSuchProcess):  # it has heard at last that it is to leave
                worker.kill()
    assert set(seen) == {(200, "small:a")}


@pytest.mark.slow
def test_a_rollback_on_probation_takes_the_warm_workers(home: SmallHome) -> None:
    with home.supervised(probation_seconds=1_000) as supervisor, busy(home) as seen:
        first = home.request("b")
        home.wait(first, "probation")
        wait_for(lambda: home.answers() == "small:b", "the new Bento")
        warm = {worker.pid for worker in home.workers(supervisor, "a")}
        # Should it start workers anew, they would not be ready.
        home.behave("a", load_seconds=600)
        home.wait(home.request("a", kind="rollback"), "probation")
        wait_for(lambda: home.ask()[2] in warm, "the warm workers")
        assert home.state(first) == "done"
        assert home.champion == "small:a"
    assert {status for status, _ in seen} == {200}


@pytest.mark.slow
def test_what_rebento_asks_for_waits_until_the_probation_has_ended(home: SmallHome) -> None:
    with home.supervised(probation_seconds=8):
        first = home.request("b", actor="trainer")
        home.wait(first, "probation")
        second = home.request("c", actor="trainer")
        home.wait(second, "starting", "probation", "done")
        assert home.state(first) == "done"
        done, begun = home.promotion(first).finished_at_ms, home.promotion(second).started_at_ms
        assert done is not None and begun is not None and begun >= done
        wait_for(lambda: home.answers() == "small:c", "the second")


def test_a_persons_request_ends_the_loading_of_another(home: SmallHome) -> None:
    home.behave("b", load_seconds=600)
    with home.supervised():
        first = home.request("b", actor="trainer")
        home.wait(first, "starting")
        home.wait(home.request("c"), "probation")
        failed = home.promotion(first)
        assert (failed.state, failed.error) == (
            "failed",
            "person asked for small:c before its workers were ready",
        )
        wait_for(lambda: home.answers() == "small:c", "the person's")


def test_bentos_that_know_no_orders_are_promoted_and_come_back(home: SmallHome) -> None:
    home.behave("a", speaks=1)
    home.behave("b", speaks=1)
    with home.supervised() as supervisor, busy(home) as seen:
        home.wait(home.request("b"), "probation")
        wait_for(lambda: not home.workers(supervisor, "a"), "those who cannot stand by to leave")
        assert home.answers() == "small:b"
        home.behave("b", speaks=1, status=500)
        wait_for(lambda: home.champion == "small:a", "the stage to go back")
        wait_for(lambda: lately(seen) == {(200, "small:a")}, "the old one, started anew")


@pytest.mark.slow
def test_a_database_that_is_away_when_the_workers_are_ready_undoes_the_swap(home: SmallHome) -> None:
    home.behave("b", load_seconds=600)
    with home.supervised() as supervisor, busy(home) as seen:
        asked = home.request("b")
        home.wait(asked, "starting")
        with home.database.writing() as connection:  # another writer that does not let go
            connection.exec_driver_sql("DELETE FROM processes")
            home.behave("b")
            wait_for(lambda: "could not be put in Production" in home.log.read_text(), "it to give up")
        failed = home.wait(asked, "failed")
        assert "its workers were ready, but" in str(failed.error)
        wait_for(lambda: not home.workers(supervisor, "b"), "its workers to leave")
        home.wait(home.request("b"), "probation")
    assert {status for status, _ in seen} == {200}
