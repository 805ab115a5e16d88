"""What a request keeps on its way to another worker, and what happens where nobody takes it."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.runner.handover_servers import Caller, Standing, listening, standing


@dataclass(frozen=True)
class Replaced:
    listener: socket.socket
    a: Standing
    """In standby."""
    b: Standing
    """Accepts."""
    caller: Caller
    """On an old connection of `a`."""


@contextmanager
def replaced(host: str = "127.0.0.1", to: str = "127.0.0.1", **options: Any) -> Iterator[Replaced]:
    """`a` with `options` has handed over to `b`."""
    with listening(host) as listener, standing("a", listener, **options) as a, standing("b", listener) as b:
        a.tell("accept")
        with Caller(listener, to) as caller:
            assert caller.ask()["by"] == "a"
            b.tell("accept")
            a.tell("standby")
            yield Replaced(listener, a, b, caller)


def test_method_target_headers_and_body_arrive_as_they_were_sent() -> None:
    with replaced() as now:
        headers = {"Authorization": "Bearer x", "X-Own": "a, b", "Connection": "x-hop", "X-Hop": "1"}
        answer = now.caller.ask("PUT", "/a%20b//c?d=%2F&e", b"x" * 300_000, **headers)
        assert (answer["by"], answer["status"], answer["bytes"]) == ("b", 203, 300_000)
        assert (answer["method"], answer["target"]) == ("PUT", "/a%20b//c?d=%2F&e")
        arrived = dict(answer["headers"])
        assert arrived["authorization"] == "Bearer x" and arrived["content-length"] == "300000"
        assert "x-hop" not in arrived
        assert now.a.app.answered == 1  # the one before: a forwarded request is counted by who answered it


def test_a_chunked_body_and_one_that_comes_slowly_arrive_whole() -> None:
    with replaced() as now:
        now.caller.http.putrequest("POST", "/")
        now.caller.http.putheader("transfer-encoding", "chunked")
        now.caller.http.endheaders()
        for _ in range(5):
            seen = now.b.app.answered
            now.caller.http.send(b"3\r\nabc\r\n")
            assert now.b.app.answered == seen
        now.caller.http.send(b"0\r\n\r\n")
        answer = now.caller.answer()
        assert (answer["by"], answer["bytes"]) == ("b", 15)


def test_head_and_http_1_0_are_answered_too() -> None:
    with replaced() as now:
        now.caller.http.request("HEAD", "/")
        response = now.caller.http.getresponse()
        assert (response.status, response.headers["x-by"], response.read()) == (203, "b", b"")
        assert int(response.headers["content-length"]) > 0
        now.a.tell("accept")
        now.b.tell("standby")
        with socket.create_connection(now.listener.getsockname(), timeout=30) as old:
            old.sendall(b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
            assert b"x-by: a" in old.recv(65536)


@pytest.mark.parametrize(
    ("host", "to"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("::1", "::1"), ("127.0.0.3", "127.0.0.3")]
)
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_any_listening_address_is_reached(host: str, to: str, loop: str) -> None:
    with replaced(host, to, loop=loop) as now:
        assert now.caller.ask("POST", body=b"x")["by"] == "b"


def test_where_nobody_accepts_it_answers_itself_and_nobody_answers_again() -> None:
    with replaced(taken_seconds=0.2) as now:
        now.b.tell("standby")
        answer = now.caller.ask("POST", body=b"x" * 100)
        assert (answer["by"], answer["bytes"], answer["closes"]) == ("a", 100, True)
        now.b.tell("accept")  # and finds the abandoned connection in the queue
        with Caller(now.listener) as later:
            assert later.ask()["by"] == "b"
        assert now.b.app.answered == 1


def _cut(listener: socket.socket, times: int, after: bytes) -> threading.Thread:
    """A worker that dies `times` times, having said `after`."""

    def run() -> None:
        for _ in range(times):
            select.select([listener], [], [])
            connection, _address = listener.accept()
            select.select([connection], [], [])
            connection.recv(65536)
            connection.sendall(after)
            connection.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("after", [b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-le"])
def test_a_worker_that_dies_over_a_request_does_not_fail_it(after: bytes) -> None:
    with replaced() as now:
        now.b.tell("standby")
        dying = _cut(now.listener, 2, after)
        answer = now.caller.ask("POST", body=b"x" * 1_000_000)
        assert (answer["by"], answer["bytes"]) == ("a", 1_000_000)
        dying.join(30)


def test_one_that_died_is_no_reason_to_answer_here_while_another_lives() -> None:
    with replaced() as now:
        now.b.tell("standby")
        dying = _cut(now.listener, 1, b"")
        now.caller.http.request("POST", "/", b"x" * 1000)
        dying.join(30)
        now.b.tell("accept")
        assert now.caller.answer()["by"] == "b"


def test_a_caller_that_hangs_up_harms_nobody() -> None:
    with replaced(drain_seconds=60) as now:
        now.caller.http.putrequest("POST", "/")
        now.caller.http.putheader("content-length", "20")
        now.caller.http.endheaders()
        now.caller.http.send(b"x")
        now.caller.http.close()
        with Caller(now.listener) as other:
            assert other.ask()["by"] == "b"
        _settled(now.a)
        assert (now.a.app.answered, now.b.app.answered) == (1, 1)


def _settled(server: Standing) -> None:
    server.tell("leave")
    assert server.ends(20)
