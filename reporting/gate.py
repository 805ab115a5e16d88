"""What Evidently's pages lack for standing open without a login: they answer to no foreign page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from loop.host_names import HostNames

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_POLICY = b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'self'"
"""Evidently's scripts build styles and code; from another machine they need nothing."""


class Gate:
    """ASGI middleware: refuses, with 403, what a foreign page asks for in its visitor's name, and whatever is
    asked under a foreign name."""

    def __init__(self, app: App, hosts: HostNames) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not self._is_meant(scope["method"], headers):
            await _refuse(send)
            return

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                policy = (b"content-security-policy", _POLICY)
                message["headers"] = [*message.get("headers", []), policy]
            await send(message)

        await self._app(scope, receive, send_with_policy)

    def _is_meant(self, method: str, headers: dict[str, str]) -> bool:
        host = headers.get("host", "")
        if not self._hosts.has(host):
            return False
        if method in ("GET", "HEAD"):
            return True
        origin = headers.get("origin")
        return headers.get("sec-fetch-site", "none") in ("same-origin", "none") and (
            origin is None or urlsplit(origin).netloc == host
        )


async def _refuse(send: Send) -> None:
    text = (
        b"Evidently's pages answer under localhost, this machine's own names and those in "
        b"REBENTO_ALLOWED_HOSTS, and to their own pages only."
    )
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": text})
