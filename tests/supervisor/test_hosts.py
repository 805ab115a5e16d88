"""Several supervisors of one use case on one database: one leads, the others follow."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest

from loop.clock import now_ms
from storage.leaders import leader
from storage.processes import answering_bentos
from storage.promotions import promotions
from storage.versions import history
from tests.homes import wait_for
from tests.supervisor.conftest import SmallHome
from tests.supervisor.test_swap import busy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

#: Short, so that nobody waits long for a successor; far above the two seconds between beats.
SILENCE = {"silence_seconds": 10}


@pytest.fixture
def hosts(home_on_postgresql: SmallHome) -> Iterator[tuple[SmallHome, SmallHome]]:
    yield home_on_postgresql.host("one", **SILENCE), home_on_postgresql.host("two", **SILENCE)


def leads(home: SmallHome) -> str:
    """The host that leads; empty: nobody does."""
    with home.database.reading() as connection:
        found = leader(connection, "small")
    return found.host if found is not None and found.holder else ""


def executed(home: SmallHome) -> list[tuple[str, str]]:
    """Tag and state of every promotion, oldest first."""
    with home.database.reading() as connection:
        return [(one.tag, one.state) for one in reversed(promotions(connection, "small"))]


def entered(home: SmallHome) -> list[str]:
    """What was put in Production, oldest first."""
    with home.database.reading() as connection:
        changes = history(connection, "small")
    return [one.tag for one in reversed(changes) if one.to_stage == "Production"]


def kept(home: SmallHome) -> frozenset[str]:
    """What answers on some host, so that its files stay."""
    with home.database.reading() as connection:
        return answering_bentos(connection, "small", at_ms=now_ms())


def answers_from_both(one: SmallHome, two: SmallHome, tag: str) -> None:
    wait_for(lambda: (one.answers(), two.answers()) == (tag, tag), f"{tag} on both hosts")


def callers_hear(tag: str, *calls: list[tuple[int, str]]) -> None:
    """Until callers of every host were answered by a Bento."""
    wait_for(lambda: all((200, tag) in seen for seen in calls), f"callers to hear of {tag}")


def test_a_promotion_reaches_every_host_is_carried_out_once_and_drops_no_request(
    hosts: tuple[SmallHome, SmallHome],
) -> None:
    one, two = hosts
    with (
        one.supervised(probation_seconds=1),
        two.supervised(probation_seconds=1) as follower,
        busy(one) as seen,
        busy(two) as also,
    ):
        assert leads(one) == "one"
        callers_hear("small:a", seen, also)
        one.wait(one.request("b"), "done")
        answers_from_both(one, two, "small:b")
        callers_hear("small:b", seen, also)
        wait_for(lambda: not two.workers(follower, "a"), "the follower's old workers to leave")
        one.wait(one.request("c", actor="trainer"), "done")
        answers_from_both(one, two, "small:c")
        callers_hear("small:c", seen, also)
    for calls in (seen, also):
        assert {status for status, _ in calls} == {200}
        assert {bento for _, bento in calls} == {"small:a", "small:b", "small:c"}
    assert executed(one) == [("small:b", "done"), ("small:c", "done")]
    assert entered(one) == ["small:a", "small:b", "small:c"]
    assert "promotion 1 of small:b: loading" in one.log.read_text()
    assert "promotion" not in two.log.read_text()


def test_a_promotion_undone_where_it_was_tried_is_undone_on_every_host(
    hosts: tuple[SmallHome, SmallHome],
) -> None:
    one, two = hosts
    with one.supervised(), two.supervised() as follower:
        asked = one.request("b")
        answers_from_both(one, two, "small:b")
        wait_for(lambda: "going after small:b: probation" in two.log.read_text(), "the old ones to stand by")
        warm = {worker.pid for worker in two.workers(follower, "a")}
        one.behave("b", status=500)
        while one.state(asked) == "probation":
            one.ask()
        answers_from_both(one, two, "small:a")
        assert one.champion == "small:a" and one.state(asked) == "failed"
        wait_for(lambda: two.ask()[2] in warm, "its old workers, which were warm still")


@pytest.mark.parametrize("when", ["probation", "starting"])
def test_a_leader_that_is_killed_is_succeeded_and_what_it_left_open_is_settled(
    hosts: tuple[SmallHome, SmallHome], when: str
) -> None:
    one, two = hosts
    with ExitStack() as until_the_end:
        killed = until_the_end.enter_context(one.supervised())
        until_the_end.enter_context(two.supervised())
        if when == "starting":
            one.behave("b", load_seconds=600)
        asked = one.request("b")
        one.wait(asked, when)
        if when == "probation":
            answers_from_both(one, two, "small:b")
        else:
            wait_for(lambda: len(one.workers(killed, "b")) == 2, "its workers")
            one.wait_until_noted(killed)
        with busy(two) as seen:
            killed.kill()
            killed.wait()
            wait_for(lambda: leads(two) == "two", "the other host to lead")
            settled = two.wait(asked, "done", "failed")
            two.wait(two.request("c"), "probation")
            wait_for(lambda: two.answers() == "small:c", "what is promoted next")
        assert {status for status, _ in seen} == {200}
        if when == "probation":
            assert settled.state == "done"
        else:
            assert settled.state == "failed" and "ended before the workers of small:b" in str(settled.error)
        one.behave("b")
        until_the_end.enter_context(one.supervised())
        assert leads(one) == "two", "the one that comes back follows"
        answers_from_both(one, two, "small:c")


def test_a_leader_that_leaves_is_succeeded_at_once(hosts: tuple[SmallHome, SmallHome]) -> None:
    one, two = hosts
    with two.host("three", silence_seconds=1_000).supervised(silence_seconds=1_000):
        with one.supervised():
            pass
        assert leads(one) == "three"
    with one.supervised():
        assert leads(one) == "one"
    assert leads(one) == ""


@pytest.mark.parametrize("when", ["probation", "starting"])
def test_a_leader_that_slept_finds_another_leads_and_follows(
    hosts: tuple[SmallHome, SmallHome], when: str
) -> None:
    one, two = hosts
    with one.supervised(probation_seconds=15) as slow, two.supervised(probation_seconds=1_000) as other:
        if when == "starting":
            one.behave("b", load_seconds=600)
        first = one.request("b")
        one.wait(first, when)
        slow.send_signal(signal.SIGSTOP)
        try:
            wait_for(lambda: leads(one) == "two", "the other host to lead")
            state = two.wait(first, "done", "failed").state
            assert state == ("done" if when == "probation" else "failed")
            second = two.request("c")
            two.wait(second, "probation")
            assert one.answers() in ("small:a", "small:b"), "its workers go on while it sleeps"
            one.behave("b")
        finally:
            slow.send_signal(signal.SIGCONT)
        wait_for(lambda: "another supervisor leads by now" in one.log.read_text(), "it to notice")
        answers_from_both(one, two, "small:c")
        assert leads(one) == "two"
        assert executed(one) == [("small:b", state), ("small:c", "probation")], "it changed nothing"
        assert one.champion == "small:c"
        assert other.is_running() and slow.is_running()


def test_a_host_that_cannot_load_a_bento_goes_on_with_the_old_and_tries_again(
    hosts: tuple[SmallHome, SmallHome],
) -> None:
    one, two = hosts
    two.behave("b", exit=3)
    with one.supervised(probation_seconds=1), two.supervised(probation_seconds=1), busy(two) as seen:
        asked = one.request("b")
        one.wait(asked, "done")
        wait_for(lambda: "is in Production, but not here" in two.log.read_text(), "the follower to say so")
        assert "small:b cannot serve here" in two.log.read_text()
        assert two.answers() == "small:a"
        wait_for(lambda: kept(one) == {"small:a", "small:b"}, "its files to be kept for it")
        two.behave("b")
        answers_from_both(one, two, "small:b")
        wait_for(lambda: kept(one) == {"small:b"}, "the old ones to be needed no longer")
    assert {status for status, _ in seen} == {200}
    assert executed(one) == [("small:b", "done")]
    assert not kept(one), "both said farewell"


def test_hosts_that_were_both_killed_come_back_with_what_was_in_production(
    hosts: tuple[SmallHome, SmallHome],
) -> None:
    one, two = hosts
    with one.supervised() as first, two.supervised() as second:
        asked = one.request("b")
        answers_from_both(one, two, "small:b")
        left = [*first.children(), *second.children()]
        for supervisor in (first, second):
            supervisor.kill()
            supervisor.wait()
    with two.supervised(), one.supervised():
        answers_from_both(one, two, "small:b")
        one.wait(asked, "done")
        wait_for(lambda: leads(one) in ("one", "two"), "one of them to lead")
        one.wait(one.request("c"), "probation")
        answers_from_both(one, two, "small:c")
    psutil.wait_procs(left, timeout=30)
    assert entered(one) == ["small:a", "small:b", "small:c"]


def test_the_next_supervisor_of_the_same_lock_leads_at_once(home: SmallHome) -> None:
    with home.supervised(silence_seconds=1_000) as killed:
        killed.kill()
        killed.wait()
    with home.supervised(silence_seconds=1_000):
        assert "this supervisor leads" in home.log.read_text()
        home.wait(home.request("b"), "probation")
