"""What every answer carries and every request must pass: headers, the Host check, limits, origins."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from loop.host_names import HostNames

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

    def __init__(self, app: App, hosts: HostNames, limits: dict[str, int]) -> None:
        self._app = app
        self._hosts = hosts
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
        if not self._hosts.has(headers.get(b"host", b"").decode("latin-1")):
            refused = PlainTextResponse(
                "This name is not one of these pages' own. Open them by the address they were started with, "
                "or start them with the name in REBENTO_ALLOWED_HOSTS.",
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


def own_hosts(host: str, more: Iterable[str]) -> HostNames:
    """The names that requests may call us by, where we are bound at `host`."""
    return HostNames.where_bound(host, more, (socket.gethostname(), socket.getfqdn()))


def refuse_foreign_origin(request: Request) -> None:
    """Raises 403 where a browser says that another site's page sent this."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "this was sent by another site's page")
    origin = request.headers.get("origin", "")
    if origin and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise HTTPException(403, "this was sent by another site's page")
