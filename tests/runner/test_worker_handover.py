"""Two servers on one listening socket hand over to each other."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import threading
import time

import pytest

from tests.homes import wait_for
from tests.runner.handover_servers import Caller, listening, standing

LOOPS = pytest.mark.parametrize("loop", ["uvloop", "asyncio"])


@LOOPS
def test_a_server_accepts_and_stands_by_as_often_as_it_is_told(loop: str) -> None:
    with (
        listening() as listener,
        standing("a", listener, loop=loop) as a,
        standing("b", listener, loop=loop) as b,
    ):
        for _ in range(5):
            for on, off in ((a, b), (b, a)):
                assert on.tell("accept") == "accepting"
                assert off.tell("standby") == "standby"
                with Caller(listener) as caller:
                    assert caller.ask()["by"] == on.app.name
                    assert not caller.ask()["closes"]


@LOOPS
def test_told_twice_it_does_the_same_once(loop: str) -> None:
    with listening() as listener, standing("a", listener, loop=loop, starts_accepting=True) as a:
        assert [a.tell(c) for c in ("accept", "standby", "standby", "accept", "accept")] == [
            *("accepting", "standby", "standby", "accepting", "accepting")
        ]
        with Caller(listener) as caller:
            assert caller.ask()["by"] == "a"


def test_every_command_is_answered_with_the_truth() -> None:
    with listening() as listener, standing("a", listener, starts_accepting=True) as a:
        assert a.tell("dance") == "accepting"
        with Caller(listener) as idle:
            idle.ask()
            assert [a.tell(command) for command in ("leave", "accept", "leave")] == ["standby"] * 3


@LOOPS
def test_connections_accepted_just_before_standby_are_served(loop: str) -> None:
    with (
        listening() as listener,
        standing("a", listener, loop=loop) as a,
        standing("b", listener, loop=loop) as b,
    ):
        for _ in range(5):
            a.tell("accept")
            b.tell("standby")
            with contextlib.ExitStack() as stack:
                callers = [stack.enter_context(Caller(listener)) for _ in range(100)]
                b.tell("accept")
                a.tell("standby")
                assert {caller.ask()["by"] for caller in callers} <= {"a", "b"}


@LOOPS
def test_the_shared_socket_never_blocks(loop: str) -> None:
    """Else a server that finds no connection, another was faster, waits for the next with all it has."""
    seen: set[bool] = set()
    stop = threading.Event()

    def look(fd: int) -> None:
        while not stop.is_set():
            seen.add(os.get_blocking(fd))

    with listening() as listener, standing("a", listener, loop=loop) as a:
        looking = threading.Thread(target=look, args=(listener.fileno(),))
        looking.start()
        for _ in range(100):
            a.tell("accept")
            a.tell("standby")
        with standing("b", listener, loop=loop, starts_accepting=True):
            stop.set()
        looking.join()
    assert seen == {False}


@LOOPS
def test_an_idle_connection_outlives_standby_and_its_next_answer_comes_from_who_accepts(loop: str) -> None:
    with (
        listening() as listener,
        standing("a", listener, loop=loop) as a,
        standing("b", listener, loop=loop) as b,
    ):
        a.tell("accept")
        with Caller(listener) as caller, Caller(listener) as silent:
            assert caller.ask()["by"] == "a"
            b.tell("accept")
            a.tell("standby")
            for idle in (caller, silent):
                answer = idle.ask("POST", body=b"x" * 10)
                assert (answer["by"], answer["closes"]) == ("b", True)


@LOOPS
def test_a_request_whose_body_is_still_coming_is_answered_by_who_took_it(loop: str) -> None:
    with (
        listening() as listener,
        standing("a", listener, loop=loop) as a,
        standing("b", listener, loop=loop) as b,
    ):
        a.tell("accept")
        with Caller(listener) as caller:
            assert caller.ask()["by"] == "a"
            caller.http.putrequest("POST", "/slow")
            caller.http.putheader("content-length", "20")
            caller.http.putheader("expect", "100-continue")
            caller.http.endheaders()
            assert caller.http.sock.recv(1024).startswith(b"HTTP/1.1 100")  # it is in hand
            caller.http.send(b"x" * 10)
            b.tell("accept")
            a.tell("standby")
            caller.http.send(b"x" * 10)
            answer = caller.answer()
            assert (answer["by"], answer["bytes"], answer["closes"]) == ("a", 20, True)


@LOOPS
def test_connections_accepted_in_the_turn_of_standby_are_served(loop: str) -> None:
    with (
        listening() as listener,
        standing("a", listener, loop=loop, starts_accepting=True) as a,
        standing("b", listener, loop=loop) as b,
        Caller(listener) as stuck,
        contextlib.ExitStack() as stack,
    ):
        stuck.http.request("GET", "/stuck")
        assert a.app.holds.wait(10)
        callers = [stack.enter_context(Caller(listener)) for _ in range(50)]
        a.write("standby")
        wait_for(a.has_heard, "the command to be heard")
        a.app.let_go.set()
        assert a.hears() == "standby"
        b.tell("accept")
        assert {caller.ask()["by"] for caller in callers} == {"b"}


def test_of_several_requests_sent_ahead_only_the_last_answer_closes() -> None:
    with listening() as listener, standing("a", listener, starts_accepting=True) as a:
        with standing("b", listener) as b, Caller(listener) as caller:
            ahead = b"GET /held HTTP/1.1\r\nhost: x\r\n\r\nGET /next HTTP/1.1\r\nhost: x\r\n\r\n"
            caller.http.sock.sendall(ahead)
            assert a.app.holds.wait(10)
            b.tell("accept")
            a.tell("standby")
            a.app.let_go.set()
            answers = b"".join(iter(lambda: caller.http.sock.recv(65536), b"")).lower()
            held, _, following = answers.partition(b"/held")
            assert b"connection: close" not in held and b"x-by: a" in held
            assert b"connection: close" in following and b"x-by: b" in following


def test_no_keep_alive_request_fails_while_two_servers_take_turns() -> None:
    failed: list[BaseException] = []
    closed = []
    stop = threading.Event()

    def call(listener: socket.socket) -> None:
        caller = Caller(listener)
        while not stop.is_set():
            try:
                answer = caller.ask("POST", body=b"x" * 100)
            except (OSError, http.client.HTTPException) as error:
                failed.append(error)
                return
            if answer["closes"]:
                closed.append(answer["by"])
                caller.http.close()
                caller = Caller(listener)
        caller.http.close()

    with listening() as listener, standing("a", listener) as a, standing("b", listener) as b:
        a.tell("accept")
        threads = [threading.Thread(target=call, args=(listener,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            for on, off in ((b, a), (a, b)):
                wanted = on.app.answered + 20
                on.tell("accept")
                off.tell("standby")
                wait_for(lambda on=on, wanted=wanted: on.app.answered > wanted or bool(failed), "answers")
        stop.set()
        for thread in threads:
            thread.join()
    assert not failed
    assert len(closed) > 40


def test_a_leaving_server_keeps_idle_connections_until_they_are_gone() -> None:
    with listening() as listener, standing("a", listener, starts_accepting=True) as a:
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
            assert a.ends(5)


def test_a_leaving_server_is_kept_no_longer_than_its_drain() -> None:
    with listening() as listener, standing("a", listener, starts_accepting=True, drain_seconds=0.5) as a:
        with Caller(listener) as idle, Caller(listener) as stuck:
            idle.ask()
            stuck.http.putrequest("POST", "/")
            stuck.http.putheader("content-length", "20")
            stuck.http.endheaders()
            a.tell("leave")
            assert a.ends(10)


def test_a_stop_keeps_an_idle_connection_for_a_moment_only() -> None:
    with listening() as listener, standing("a", listener, starts_accepting=True, drain_seconds=60) as a:
        with Caller(listener) as idle:
            idle.ask()
            a.tell("leave")
            a.server.drain()  # what SIGTERM calls
            assert a.ends(5)


@pytest.mark.parametrize("accepts", [True, False])
def test_an_orphan_that_accepts_goes_on_for_a_while_and_one_in_standby_leaves(accepts: bool) -> None:
    with listening() as listener, standing("a", listener, orphan_seconds=60, starts_accepting=accepts) as a:
        a.orphan()
        if accepts:
            with Caller(listener) as caller:
                assert caller.ask()["by"] == "a"
            assert not a.ends(0.5)
        else:
            assert a.ends(5)


def test_an_orphan_leaves_when_its_time_is_over() -> None:
    with listening() as listener, standing("a", listener, orphan_seconds=0.3, starts_accepting=True) as a:
        began = time.monotonic()
        a.orphan()
        assert a.ends(5)
        assert time.monotonic() - began > 0.3


def test_a_server_that_leaves_does_not_let_callers_queue_up() -> None:
    with listening() as listener, standing("a", listener, starts_accepting=True) as a:
        with Caller(listener) as caller:
            caller.ask()
            address = listener.getsockname()
            listener.close()
            a.tell("leave")
            deadline = time.monotonic() + 5
            while True:
                try:
                    socket.create_connection(address, timeout=5).close()
                except ConnectionRefusedError:
                    break
                except ConnectionResetError:  # it was in the queue when that ended
                    continue
                assert time.monotonic() < deadline
