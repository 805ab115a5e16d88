"""Evidently's pages answer to no page of another site."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from reporting.gate import Gate


async def pages(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"a page"})


def answer(address: str, method: str, **headers: str) -> dict[str, Any]:
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "headers": raw}
    # In a thread of its own: a browser's tests in this process leave a loop running in theirs.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(Gate(pages, address)(scope, receive, send))).result()
    start: dict[str, Any] = told[0]
    return start


@pytest.mark.parametrize("host", ["localhost:8082", "127.0.0.1:8082", "[::1]:8082", "127.0.0.1"])
def test_its_own_pages_are_answered(host: str) -> None:
    start = answer("127.0.0.1", "GET", host=host)
    assert start["status"] == 200
    assert b"default-src 'self'" in dict(start["headers"])[b"content-security-policy"]
    own = {"host": host, "origin": f"http://{host}", "sec_fetch_site": "same-origin"}
    assert answer("127.0.0.1", "POST", **own)["status"] == 200


@pytest.mark.parametrize(
    "host", ["evil.example:8082", "localhost.evil.example", "", "127.0.0.1.evil.example"]
)
def test_a_foreign_name_for_this_machine_is_refused(host: str) -> None:
    assert answer("127.0.0.1", "GET", host=host)["status"] == 403
    assert answer("::1", "GET", host=host)["status"] == 403


def test_on_an_address_for_others_any_name_is_answered() -> None:
    assert answer("0.0.0.0", "GET", host="reports.example:8082")["status"] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "null", "sec_fetch_site": "none"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
def test_nothing_is_changed_for_a_foreign_page(method: str, headers: dict[str, str]) -> None:
    assert answer("127.0.0.1", method, host="localhost:8082", **headers)["status"] == 403
    assert answer("0.0.0.0", method, host="reports.example", **headers)["status"] == 403
