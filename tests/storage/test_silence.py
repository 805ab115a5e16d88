"""A PostgreSQL server whose packets are lost, or that stands still: every wait ends."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import make_url, text

from loop.refusals import StorageUnavailable
from storage.database import HURRIED_SECONDS, Database
from storage.feedback import record_feedback
from storage.silence import SILENCE_SECONDS, bounds
from tests.databases import migrated
from tests.network import FarServer, check_cuts, far_server
from tests.storage.rows import USE_CASE, log, tell, truth

pytestmark = [pytest.mark.slow]

#: Of the promise that every wait ends within 20 s; the rest is for a machine that is busy.
BOUND_SECONDS = 35.0
TROUBLES = ("cut", "frozen")


@pytest.fixture(scope="module")
def far() -> Iterator[FarServer]:
    with far_server() as running:
        yield running


@pytest.fixture
def database(far: FarServer) -> Iterator[Database]:
    with migrated(far.far_url) as opened:
        yield opened


@pytest.fixture(params=TROUBLES)
def trouble(request: pytest.FixtureRequest, far: FarServer) -> Callable[[], AbstractContextManager[None]]:
    if request.param == "frozen":
        return far.frozen
    check_cuts()
    return far.cut


def one(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.execute(text("SELECT 1")).scalar_one())


def seconds_of_refusal(work: Callable[[], object]) -> float:
    began = time.monotonic()
    with pytest.raises(StorageUnavailable, match="send this again later"):
        work()
    return time.monotonic() - began


def test_a_server_that_is_lost_refuses_in_time_and_is_there_again_at_once(
    database: Database, trouble: Callable[[], AbstractContextManager[None]]
) -> None:
    assert one(database) == 1  # a connection waits in the pool
    with trouble():
        assert seconds_of_refusal(lambda: one(database)) < BOUND_SECONDS
        assert seconds_of_refusal(lambda: one(database)) < BOUND_SECONDS
    assert one(database) == 1


def test_a_server_that_is_lost_within_a_transaction_refuses_in_time(
    database: Database, trouble: Callable[[], AbstractContextManager[None]]
) -> None:
    def lost_on_the_way() -> None:
        with database.reading() as connection:
            connection.execute(text("SELECT 1"))
            with trouble():
                connection.execute(text("SELECT 2"))

    assert seconds_of_refusal(lost_on_the_way) < BOUND_SECONDS
    assert one(database) == 1


def test_a_statement_that_is_work_is_waited_for_where_the_server_answers_others(
    far: FarServer, database: Database
) -> None:
    def sleep(through: Database, more_seconds: int) -> None:
        with through.reading() as connection:
            connection.execute(text(f"SELECT pg_sleep({SILENCE_SECONDS + more_seconds})"))

    hurried = Database.open(far.url, longest_silence_seconds=HURRIED_SECONDS)
    with ThreadPoolExecutor(2) as pool:
        patient = pool.submit(sleep, database, 3)
        assert seconds_of_refusal(lambda: sleep(hurried, 60)) < BOUND_SECONDS
        patient.result()
    hurried.close()


def test_feedback_whose_commit_was_lost_may_be_sent_again_and_counts_once(
    far: FarServer, database: Database
) -> None:
    log(database, "p1", "p2")

    def frozen_at_the_commit() -> None:
        with database.writing() as connection:
            record_feedback(connection, USE_CASE, [truth("p1")], 1_000)
            frozen.__enter__()

    frozen = far.frozen()
    try:
        seconds = seconds_of_refusal(frozen_at_the_commit)
    finally:
        frozen.__exit__(None, None, None)
    assert seconds < BOUND_SECONDS
    again, other = tell(database, truth("p1")), tell(database, truth("p2"))
    assert (again.accepted, again.production_rows, other.production_rows) == (1, 1, 2)
    with database.reading() as connection:
        told = text("SELECT count(*) FROM feedback WHERE prediction_id = 'p1' AND superseded_at_ms IS NULL")
        assert connection.execute(told).scalar_one() == 1


def test_a_host_that_vanishes_within_a_transaction_lets_go_of_its_locks(far: FarServer) -> None:
    check_cuts()
    near = Database.open(far.url)
    gone = Database.open(far.far_url)
    with near.writing() as connection:
        connection.execute(text("CREATE TABLE held (number integer)"))
        connection.execute(text("INSERT INTO held VALUES (0)"))
    holds, ended = threading.Event(), threading.Event()

    def vanish() -> None:
        with gone.writing() as connection:
            connection.execute(text("UPDATE held SET number = 1"))
            with far.cut():
                holds.set()
                ended.wait(120)

    def write() -> bool:
        try:
            with near.writing() as connection:
                connection.execute(text("UPDATE held SET number = 2"))
        except StorageUnavailable:
            return False
        return True

    with ThreadPoolExecutor(1) as pool:
        vanished = pool.submit(vanish)
        try:
            assert holds.wait(30)
            began = time.monotonic()
            while not write():
                assert time.monotonic() - began < BOUND_SECONDS, "the lock is held still"
        finally:
            ended.set()
        with pytest.raises(StorageUnavailable):
            vanished.result()
    with near.reading() as connection:
        assert connection.execute(text("SELECT number FROM held")).scalar_one() == 2
    near.close()
    gone.close()


def test_a_signal_that_breaks_in_is_heard_while_a_server_stands_still(
    far: FarServer, database: Database
) -> None:
    class Told(BaseException):
        pass

    def tell(*_: object) -> None:
        raise Told

    assert one(database) == 1
    before = signal.signal(signal.SIGALRM, tell)
    try:
        with far.frozen():
            with pytest.raises(Told):
                # In the middle of the question whether it still stands.
                signal.setitimer(signal.ITIMER_REAL, 0.5)
                one(database)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert one(database) == 1


def test_what_the_url_names_is_left_as_it_is() -> None:
    given = bounds(make_url("postgresql+psycopg://h/d?connect_timeout=60&options=-c%20lock_timeout%3D1s"))
    assert "connect_timeout" not in given and given["tcp_user_timeout"] == 15_000
    assert given["options"].endswith("-c lock_timeout=1s"), "the last one counts"
