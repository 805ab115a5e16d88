"""What every answer carries and every request must pass: headers, the Host check, limits, origins."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: No inline script or style, nothing from elsewhere, in no foreign frame.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "frame-src 'self'",
    )
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
    # Pages show people's rows, and a region alone has the page's own URL.
    "cache-control": "no-store",
}
_HEADERS = {name.encode(): value.encode() for name, value in HEADERS.items()}

#: A form without a file; routes that take files say more.
FORM_BYTES = 1_000_000


class TooLarge(Exception):
    """A body beyond its limit, in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit:,} bytes")
        self.limit = limit


class Safety:
    """ASGI middleware: refuses foreign hosts and bodies beyond the limit, sets the headers that an answer
    does not set itself (an endpoint that shows a foreign report in a frame brings its own policy)."""

    def __init__(self, app: App, hosts: frozenset[str], any_address: bool, limits: dict[str, int]) -> None:
        self._app = app
        self._hosts = hosts
        self._any_address = any_address
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in _HEADERS.items() if name not in given),
                ]
            await send(message)

        headers = dict(scope["headers"])
        if not self._is_ours(headers.get(b"host", b"").decode("latin-1")):
            refused = PlainTextResponse(
                "This name is not one of these pages' own. Open them by the address they were started with.",
                400,
            )
            return await refused(scope, receive, send_with_headers)
        limit = self._limits.get(scope["path"], FORM_BYTES)
        length = headers.get(b"content-length", b"0")
        announced = int(length) if length.isdigit() else limit + 1
        received = 0

        async def receive_within_limit() -> Message:
            nonlocal received
            if announced > limit:  # whoever reads the form learns it before a byte of it is taken
                raise TooLarge(limit)
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:  # sent in pieces, without a length
                raise TooLarge(limit)
            return message

        await self._app(scope, receive_within_limit, send_with_headers)

    def _is_ours(self, host: str) -> bool:
        """A page of a stranger can make its own name point at this machine, but not send another name."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if name in self._hosts or name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or self._any_address


def own_hosts(host: str, more: Iterable[str]) -> tuple[frozenset[str], bool]:
    """The names that requests may call us by, and whether any IP address will do as well."""
    names = {name.lower() for name in more if name}
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = host == "localhost"
        names.add(host.lower())
    if not is_loopback:
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return frozenset(names), not is_loopback


def refuse_foreign_origin(request: Request) -> None:
    """Raises 403 where a browser says that another site's page sent this."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "this was sent by another site's page")
    origin = request.headers.get("origin", "")
    if origin and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise HTTPException(403, "this was sent by another site's page")
