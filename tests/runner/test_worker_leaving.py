"""A server that is told to leave, or left alone, goes without cutting anybody off."""

from __future__ import annotations

import socket
import time

import pytest

from tests.runner.handover_servers import Caller, listening, standing


def test_a_leaving_server_keeps_idle_connections_until_they_are_gone() -> None:
    with listening() as listener, standing("a", listener, starts_accepting=True, drain_seconds=60) as a:
        with standing("b", listener) as b, Caller(listener) as caller, Caller(listener) as other:
            assert (caller.ask()["by"], other.ask()["by"]) == ("a", "a")
            b.tell("accept")
            assert a.tell("leave") == "standby"
            assert not a.ends(1.5)  # longer than the grace of a stop
            assert a.tell("standby") == "standby"
            answer = caller.ask()
            assert (answer["by"], answer["closes"]) == ("b", True)
            caller.http.close()
            other.http.close()
            assert a.ends(20)


def test_a_leaving_server_cuts_no_connection_that_may_be_used_yet() -> None:
    few = {"drain_seconds": 0.5, "taken_seconds": 0.5}
    with listening() as listener, standing("a", listener, starts_accepting=True, **few) as a:
        with Caller(listener) as idle:
            idle.ask()
            a.tell("leave")
            assert not a.ends(1.5)  # longer than its drain
            answer = idle.ask()
            assert (answer["by"], answer["closes"]) == ("a", True)


def test_a_leaving_server_is_kept_no_longer_than_idle_connections_and_its_drain() -> None:
    few = {"drain_seconds": 0.5, "keep_alive_seconds": 1}
    with listening() as listener, standing("a", listener, starts_accepting=True, **few) as a:
        with Caller(listener) as idle, Caller(listener) as stuck:
            idle.ask()
            stuck.http.putrequest("POST", "/")
            stuck.http.putheader("content-length", "20")
            stuck.http.endheaders()
            a.tell("leave")
            assert a.ends(20)


def test_a_stop_keeps_an_idle_connection_for_a_moment_only() -> None:
    with listening() as listener, standing("a", listener, starts_accepting=True, drain_seconds=60) as a:
        with Caller(listener) as idle:
            idle.ask()
            a.tell("leave")
            a.server.drain()  # what SIGTERM calls
            assert a.ends(20)


@pytest.mark.parametrize("accepts", [True, False])
def test_an_orphan_that_accepts_goes_on_for_a_while_and_one_in_standby_leaves(accepts: bool) -> None:
    with listening() as listener, standing("a", listener, orphan_seconds=60, starts_accepting=accepts) as a:
        a.orphan()
        if accepts:
            with Caller(listener) as caller:
                assert caller.ask()["by"] == "a"
            assert not a.ends(0.5)
        else:
            assert a.ends(20)


def test_an_orphan_that_has_just_been_told_to_stand_by_leaves() -> None:
    with (
        listening() as listener,
        standing("a", listener, orphan_seconds=60, starts_accepting=True) as a,
        Caller(listener) as stuck,
    ):
        stuck.http.request("GET", "/stuck")
        assert a.app.holds.wait(30)
        a.write("standby")
        a.orphan()
        assert a.server.is_deaf.wait(30)
        a.app.let_go.set()
        assert stuck.answer()["by"] == "a"
        assert a.ends(20)


def test_an_orphan_leaves_when_its_time_is_over() -> None:
    with listening() as listener, standing("a", listener, orphan_seconds=0.3, starts_accepting=True) as a:
        began = time.monotonic()
        a.orphan()
        assert a.ends(20)
        assert time.monotonic() - began > 0.3


def test_a_server_that_leaves_does_not_let_callers_queue_up() -> None:
    with listening() as listener, standing("a", listener, starts_accepting=True, drain_seconds=60) as a:
        with Caller(listener) as caller:
            caller.ask()
            address = listener.getsockname()
            listener.close()
            a.tell("leave")
            deadline = time.monotonic() + 20
            while True:
                try:
                    socket.create_connection(address, timeout=5).close()
                except ConnectionRefusedError:
                    break
                except ConnectionResetError:  # it was in the queue when that ended
                    continue
                assert time.monotonic() < deadline
