"""One supervisor leads at a time, and one that no longer does cannot write as if it did."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.database import Database
from storage.leaders import (
    Leader,
    NoLongerLeading,
    beat_lead,
    hold_lead,
    leader,
    leave_lead,
    take_lead,
)
from tests.storage.rows import USE_CASE


def take(database: Database, holder: str, after: Leader | None) -> Leader | None:
    with database.writing() as connection:
        return take_lead(
            connection, USE_CASE, after, holder=holder, machine=f"lock of {holder}", host=f"host {holder}"
        )


def last(database: Database) -> Leader:
    with database.reading() as connection:
        found = leader(connection, USE_CASE)
    assert found is not None
    return found


def test_the_first_to_ask_leads_and_each_term_is_higher(database: Database) -> None:
    with database.reading() as connection:
        assert leader(connection, USE_CASE) is None
    first = take(database, "a", None)
    assert first == Leader(USE_CASE, 1, "a", "lock of a", "host a", 0)
    assert take(database, "b", None) is None, "another was quicker"
    assert take(database, "b", last(database)) == Leader(USE_CASE, 2, "b", "lock of b", "host b", 0)


def test_of_many_that_take_over_at_once_one_leads(database: Database) -> None:
    take(database, "dead", None)
    after, barrier = last(database), threading.Barrier(8)

    def tried(number: int) -> Leader | None:
        barrier.wait(30)
        return take(database, f"s{number}", after)

    with ThreadPoolExecutor(8) as pool:
        won = [one for one in pool.map(tried, range(8)) if one is not None]
    assert won == [last(database)] and won[0].term == 2


def test_a_leader_that_has_gone_on_cannot_be_succeeded(database: Database) -> None:
    leading = take(database, "a", None)
    assert leading is not None
    seen = last(database)
    with database.writing() as connection:
        assert beat_lead(connection, leading)
    assert take(database, "b", seen) is None
    assert last(database).beats == 1


def test_one_that_no_longer_leads_is_refused(database: Database) -> None:
    slow = take(database, "a", None)
    assert slow is not None and take(database, "b", last(database)) is not None
    with database.writing() as connection:
        assert not beat_lead(connection, slow)
        leave_lead(connection, slow)
    with pytest.raises(NoLongerLeading, match="host b leads visits by now"), database.writing() as connection:
        hold_lead(connection, slow)
    assert last(database).holder == "b"


def test_a_term_whose_beginning_was_not_committed_is_not_taken_for_anothers(database: Database) -> None:
    take(database, "dead", None)
    after = last(database)
    lost: list[Leader | None] = []
    with pytest.raises(OSError), database.writing() as connection:
        lost.append(take_lead(connection, USE_CASE, after, holder="a", machine="", host="a"))
        raise OSError("the connection broke")
    winner = take(database, "b", after)
    assert winner is not None and lost[0] is not None and lost[0].term == winner.term
    with pytest.raises(NoLongerLeading), database.writing() as connection:
        hold_lead(connection, lost[0])


def test_after_a_farewell_nobody_leads_and_the_term_goes_on(database: Database) -> None:
    leading = take(database, "a", None)
    assert leading is not None
    with database.writing() as connection:
        leave_lead(connection, leading)
    assert last(database).holder == ""
    again = take(database, "a", last(database))
    assert again is not None and again.term == 2


def test_nobody_takes_over_in_the_middle_of_what_a_leader_writes(database: Database) -> None:
    leading = take(database, "a", None)
    assert leading is not None
    seen, taken = last(database), []
    taking = threading.Thread(target=lambda: taken.append(take(database, "b", seen)))
    with database.writing() as connection:
        hold_lead(connection, leading)
        taking.start()
        taking.join(0.3)
        assert taking.is_alive()
    taking.join(30)
    assert taken[0] is not None and taken[0].holder == "b"
