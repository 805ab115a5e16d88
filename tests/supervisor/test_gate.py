"""Who answers before there is a Bento."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator

import pytest

from supervisor.gate import gate
from supervisor.listening import listen
from tests.homes import free_port

SENTENCE = "nothing of small is in Production yet"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listen("127.0.0.1", free_port()) as made:
        yield made


def answered(
    listener: socket.socket, method: str, path: str, body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(*listener.getsockname(), timeout=10)
    try:
        connection.request(method, path, body or None)
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return response.status, headers, response.read()
    finally:
        connection.close()


def test_whoever_calls_is_told_why_and_to_come_again_and_probes_see_that_it_lives(
    listener: socket.socket,
) -> None:
    with gate(listener, SENTENCE):
        for method, path, body in (
            ("GET", "/readyz", b""),
            ("GET", "/metrics", b""),
            ("POST", "/predict", b'{"rows": []}' * 50_000),
            ("PUT", "/nowhere", b"x"),
        ):
            status, headers, said = answered(listener, method, path, body)
            assert (status, headers["retry-after"], headers["connection"]) == (503, "5", "close")
            assert json.loads(said) == {"error": SENTENCE, "detail": [], "missing_features": []}
        assert answered(listener, "GET", "/livez?x=1")[0] == 200
        status, headers, said = answered(listener, "HEAD", "/predict")
        assert (status, said) == (503, b"") and int(headers["content-length"]) > 0


def test_callers_that_say_nothing_or_nonsense_keep_nobody_waiting(listener: socket.socket) -> None:
    with (
        gate(listener, SENTENCE),
        socket.create_connection(listener.getsockname()),
        socket.create_connection(listener.getsockname()) as odd,
    ):
        odd.sendall(b"\x16\x03\x01 not http\r\n\r\n")
        assert answered(listener, "GET", "/livez")[0] == 200


def test_once_it_is_gone_connections_wait_for_those_who_accept_next(listener: socket.socket) -> None:
    with gate(listener, SENTENCE):
        assert answered(listener, "GET", "/readyz")[0] == 503
    with socket.create_connection(listener.getsockname(), timeout=10) as caller:
        caller.sendall(b"hello")
        listener.settimeout(10)
        taken, _ = listener.accept()
        with taken:
            taken.settimeout(10)
            assert taken.recv(100) == b"hello"
