"""When a supervisor leads, when it follows, and that no clock but its own decides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from loop.clock import now_ms
from storage.database import Database
from storage.leaders import NoLongerLeading, leader, take_lead
from storage.processes import answering_bentos, supervisors
from storage.promotions import open_promotions, promotions
from supervisor.leadership import Leadership
from supervisor.ledger import Ledger, close_open_promotions
from tests.homes import free_port, wait_for
from tests.supervisor.conftest import SmallHome

USE_CASE = "small"
SILENCE = 15.0


class Supervisor:
    """One supervisor's leadership, looked at by hand."""

    def __init__(self, database: Database, machine: str) -> None:
        self.database, self.now = database, 100.0
        self.settled = 0
        self.leadership = Leadership(
            USE_CASE, machine, machine, SILENCE, now_ms, lambda: self.now, self._settle
        )

    def _settle(self, connection: object) -> None:
        self.settled += 1

    def join(self) -> None:
        with self.database.writing() as connection:
            self.leadership.join(connection)
        self.leadership.joined()

    def after(self, seconds: float, every: float = 0.5) -> bool:
        """Looks for so long, by this supervisor's own clock; whether it leads at the end."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + every, end)
            with self.database.reading() as connection:
                has_turn = self.leadership.look(connection)
            if has_turn:
                with self.database.writing() as connection:
                    self.leadership.turn(connection)
        return self.leads

    @property
    def leads(self) -> bool:
        return self.leadership.own is not None


@pytest.fixture
def home(tmp_path: Path) -> Iterator[SmallHome]:
    made = SmallHome(tmp_path, free_port())
    yield made
    made.database.close()


@pytest.fixture
def two(home: SmallHome) -> tuple[Supervisor, Supervisor]:
    """The first leads, the second follows."""
    first, second = Supervisor(home.database, "one"), Supervisor(home.database, "two")
    first.join()
    second.join()
    return first, second


def test_the_first_leads_and_settles_and_the_second_follows(
    home: SmallHome, two: tuple[Supervisor, Supervisor]
) -> None:
    first, second = two
    assert (first.leads, second.leads) == (True, False)
    assert (first.settled, second.settled) == (1, 0)
    with home.database.reading() as connection:
        assert [one.host for one in supervisors(connection, USE_CASE, at_ms=now_ms())] == ["one", "two"]


def test_one_that_beats_leads_on_and_one_that_is_silent_is_succeeded(
    two: tuple[Supervisor, Supervisor],
) -> None:
    first, second = two
    for _ in range(30):
        assert first.after(2) and not second.after(2)
    assert not second.after(SILENCE - 4), "the last beat may be two seconds old"
    assert second.after(5) and second.settled == 1
    assert not first.after(1), "it comes back and follows"
    assert first.settled == 1


def test_what_a_silent_leader_answers_with_is_remembered_until_it_says_otherwise(
    home: SmallHome, two: tuple[Supervisor, Supervisor]
) -> None:
    def answering() -> set[str]:
        with home.database.reading() as connection:
            return set(answering_bentos(connection, USE_CASE, at_ms=now_ms()))

    first, second = two
    first.leadership.bento, second.leadership.bento = "small:old", "small:new"
    assert first.after(3)
    assert second.after(SILENCE + 3), "the first is cut off from the database, and answers"
    assert answering() == {"small:old", "small:new"}
    assert not first.after(1), "it comes back and follows"
    first.leadership.bento = "small:new"
    first.after(3)
    assert answering() == {"small:new"}
    with home.database.writing() as connection:
        first.leadership.leave(connection)
        second.leadership.leave(connection)
    assert not answering()


def test_a_watcher_that_slept_or_lost_the_database_does_not_count_that_as_silence(
    two: tuple[Supervisor, Supervisor],
) -> None:
    first, second = two
    assert not second.after(SILENCE - 1)
    second.now += 3_600  # suspended, with its machine perhaps
    assert not second.after(SILENCE - 1)
    second.leadership.forget()  # the database was away, for the leader as well
    assert not second.after(SILENCE - 1)
    assert first.after(3)
    assert not second.after(SILENCE - 4), "it has heard of the leader meanwhile"


def test_a_term_on_the_same_lock_is_taken_over_at_once(home: SmallHome) -> None:
    killed, other, restarted = (Supervisor(home.database, name) for name in ("one", "two", "one"))
    killed.join()
    other.join()
    restarted.join()
    assert (other.leads, restarted.leads) == (False, True)
    assert not killed.after(3)


def test_one_that_leaves_settles_and_is_succeeded_at_the_next_look(
    home: SmallHome, two: tuple[Supervisor, Supervisor]
) -> None:
    first, second = two
    with home.database.writing() as connection:
        first.leadership.leave(connection)
    assert first.settled == 2
    assert second.after(0.5)
    with home.database.reading() as connection:
        assert [one.host for one in supervisors(connection, USE_CASE, at_ms=now_ms())] == ["two"]


def test_what_a_leader_asks_once_it_no_longer_leads_is_refused_before_it_is_done(home: SmallHome) -> None:
    ledger = Ledger(home.database, USE_CASE, now_ms, machine="one", host="one", silence_seconds=SILENCE)
    done: list[str] = []
    with ledger.kept("small:a") as tag:
        assert tag == "small:a" and ledger.is_leading
        assert ledger.once(lambda connection: done.append("while it led")).exception(60) is None
        with home.database.writing() as connection:
            last = leader(connection, USE_CASE)
            assert take_lead(connection, USE_CASE, last, holder="b", machine="two", host="two")
        asked = ledger.surely(lambda connection: done.append("after"))
        assert isinstance(asked.exception(60), NoLongerLeading)
        wait_for(lambda: not ledger.is_leading, "it to follow")
        wait_for(lambda: ledger.champion == "small:a", "what is in Production")
        home.request("b")
        assert ledger.requested is None, "that is the leader's"
    assert done == ["while it led"]
    with home.database.reading() as connection:
        standing = leader(connection, USE_CASE)
        assert standing is not None and standing.holder == "b", "its farewell is not the leader's"


def test_what_was_left_open_is_settled_once(home: SmallHome) -> None:
    asked = home.request("b")
    with home.database.writing() as connection:
        connection.exec_driver_sql("UPDATE promotions SET state = 'starting'")
        close_open_promotions(connection, USE_CASE, now_ms())
        close_open_promotions(connection, USE_CASE, now_ms())
        assert open_promotions(connection, USE_CASE) == ()
        assert [one.state for one in promotions(connection, USE_CASE)] == ["failed"]
    assert home.champion == "small:a" and asked.tag == "small:b"
