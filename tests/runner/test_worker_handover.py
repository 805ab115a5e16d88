"""Two servers on one listening socket hand over to each other."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import threading

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
        assert a.app.holds.wait(30)
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
            assert a.app.holds.wait(30)
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
