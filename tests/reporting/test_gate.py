"""Evidently's pages answer to no page of another site."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from loop.host_names import HostNames
from reporting.gate import Gate


async def pages(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"a page"})


def answer(address: str, method: str, *, allowed: str = "", **headers: str) -> dict[str, Any]:
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "headers": raw}
    gate = Gate(pages, HostNames.where_bound(address, allowed.split(","), ["Machine", "machine.example"]))
    # In a thread of its own: a browser's tests in this process leave a loop running in theirs.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(gate(scope, receive, send))).result()
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
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "0.0.0.0", "192.0.2.7"])
def test_a_foreign_name_for_this_machine_is_refused(address: str, host: str) -> None:
    assert answer(address, "GET", host=host)["status"] == 403
    assert answer(address, "GET", host=host, allowed="reports.example")["status"] == 403


@pytest.mark.parametrize("host", ["reports.example:8082", "REPORTS.example", "other.example"])
def test_a_name_that_a_person_allowed_is_answered(host: str) -> None:
    for address in ("127.0.0.1", "0.0.0.0"):
        assert answer(address, "GET", host=host, allowed="Reports.Example,other.example")["status"] == 200
    own = {"host": host, "origin": f"https://{host}", "sec_fetch_site": "same-origin"}
    assert answer("0.0.0.0", "POST", allowed="reports.example,other.example", **own)["status"] == 200


@pytest.mark.parametrize("host", ["192.0.2.7:8082", "machine:8082", "machine.example", "localhost:8082"])
def test_on_an_address_for_others_the_machines_own_names_are_answered(host: str) -> None:
    assert answer("0.0.0.0", "GET", host=host)["status"] == 200
    if not host.startswith("localhost"):
        assert answer("127.0.0.1", "GET", host=host)["status"] == 403


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
    everywhere = {"host": "reports.example", "allowed": "reports.example", **headers}
    assert answer("0.0.0.0", method, **everywhere)["status"] == 403
