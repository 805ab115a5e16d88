"""Requests on old connections of a worker in standby, answered by those who accept.

Each is one HTTP/1.1 exchange with the listening address, on a connection of its own. A body is sent only
after `100 Continue`, which a worker that has taken the connection says: without that, a request would wait
in the socket's queue, be answered here in the end, and once more by the next worker that starts.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import h11

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

#: Longest wait for the answer once the whole request is sent: BentoML's own bound of a request.
_ANSWER_SECONDS = 60.0
#: One that was killed in between is no reason to answer here while another is alive.
_TRIES = 2
#: Most of a body that is kept to be answered here after all.
_MOST_KEPT_BYTES = 64 * 1024 * 1024
_PIECE_BYTES = 256 * 1024
#: Headers of one connection, not of the request (RFC 9110, 7.6.1), and what this exchange says itself.
_HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)

_SORRY = b'{"error": "no worker took this call; send it again", "detail": [], "missing_features": []}'

log = logging.getLogger("rebento.worker")


class _ClientLeft(Exception):
    """The client hung up before its body had come; there is nobody to answer."""


class _NobodyAccepts(Exception):
    """No worker took the connection in time."""


@dataclass
class _Body:
    """A request's body, read as it comes and kept, so that it can be read again."""

    receive: Receive
    kept: list[Message] = field(default_factory=list)
    size: int = 0
    is_whole: bool = True
    """Whether all that came is kept."""
    ended: bool = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body from its start. Raises _ClientLeft."""
        for message in self.kept:
            yield message.get("body", b"")
        while not self.ended:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise _ClientLeft
            piece = message.get("body", b"")
            self.ended = not message.get("more_body", False)
            self.size += len(piece)
            self.is_whole = self.is_whole and self.size <= _MOST_KEPT_BYTES
            if self.is_whole:
                self.kept.append(message)
            else:
                self.kept.clear()
            yield piece

    def again(self) -> Receive:
        """A `receive` that gives the body from its start."""
        waiting = iter(list(self.kept))

        async def receive() -> Message:
            kept = next(waiting, None)
            return await self.receive() if kept is None else kept

        return receive


@dataclass
class _Answer:
    """What came back, in full."""

    status: int
    headers: Headers
    body: bytes


class Forwarding:
    """ASGI: the application itself, or, while `is_on`, whoever accepts at `address`.

    Where nobody accepts, the application answers after all. A forwarded request is not seen by the
    application, so that it is counted by who answered it only.
    """

    def __init__(self, app: App, listener: socket.socket, *, taken_seconds: float = 3.0) -> None:
        """`taken_seconds` is the longest wait for a worker to take a request: far above what one under
        full load needs, and short of what callers bear."""
        self._app = app
        self._taken_seconds = taken_seconds
        self._family = listener.family
        self._address = _reachable(listener.getsockname())
        self.is_on = False

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if not self.is_on or scope["type"] != "http":
            return await self._app(scope, receive, send)
        body = _Body(receive)
        try:
            answer = await self._answer(scope, body)
        except _ClientLeft:
            return None
        if answer is None and body.is_whole:
            return await self._app(scope, body.again(), send)
        if answer is None:
            answer = _Answer(503, [(b"content-type", b"application/json"), (b"retry-after", b"1")], _SORRY)
        headers = [(name, value) for name, value in answer.headers if name not in _HOP_BY_HOP]
        if scope["method"] != "HEAD" and answer.status not in (204, 304):
            headers = [pair for pair in headers if pair[0] != b"content-length"]
            headers.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: MutableMapping[str, Any], body: _Body) -> _Answer | None:
        """The answer of a worker that accepts; None where there is none, or it did not live to answer."""
        for _ in range(_TRIES):
            if not self.is_on or not body.is_whole:
                return None
            try:
                return await self._exchange(scope, body)
            except (_NobodyAccepts, ConnectionRefusedError, TimeoutError) as error:
                log.warning("nobody accepts; a worker in standby answers problem=%r", error)
                return None
            except (OSError, h11.ProtocolError) as error:
                log.warning("a request could not be forwarded problem=%r", error)
        return None

    async def _exchange(self, scope: MutableMapping[str, Any], body: _Body) -> _Answer:
        raw = socket.socket(self._family, socket.SOCK_STREAM)
        raw.setblocking(False)
        try:
            async with asyncio.timeout(self._taken_seconds):
                await asyncio.get_running_loop().sock_connect(raw, self._address)
        except BaseException:
            raw.close()
            raise
        reader, writer = await asyncio.open_connection(sock=raw)
        try:
            return await self._converse(scope, body, reader, writer)
        finally:
            writer.transport.abort()

    async def _converse(
        self,
        scope: MutableMapping[str, Any],
        body: _Body,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> _Answer:
        wire = h11.Connection(h11.CLIENT)
        request = _request(scope)
        writer.write(wire.send(request) or b"")
        if (b"expect", b"100-continue") not in request.headers:
            writer.write(wire.send(h11.EndOfMessage()) or b"")
        try:
            async with asyncio.timeout(self._taken_seconds):
                event = await _next_event(wire, reader)
        except TimeoutError as error:
            raise _NobodyAccepts(f"{scope['method']} {scope['path']} was not taken") from error
        if isinstance(event, h11.InformationalResponse):
            async for piece in body.pieces():
                writer.write(wire.send(h11.Data(data=piece)) or b"")
                await writer.drain()
            writer.write(wire.send(h11.EndOfMessage()) or b"")
        async with asyncio.timeout(_ANSWER_SECONDS):
            while isinstance(event, h11.InformationalResponse):
                event = await _next_event(wire, reader)
            answer = _Answer(event.status_code, list(event.headers), b"")
            pieces = []
            while not isinstance(event := await _next_event(wire, reader), h11.EndOfMessage):
                pieces.append(bytes(event.data))
            answer.body = b"".join(pieces)
            return answer


def _request(scope: MutableMapping[str, Any]) -> h11.Request:
    """The request of `scope` as it came, but for the headers of its connection."""
    named = [value for name, value in scope["headers"] if name == b"connection"]
    dropped = {*_HOP_BY_HOP, b"expect", *(token.strip().lower() for v in named for token in v.split(b","))}
    sent = {name: value for name, value in scope["headers"]}
    headers = [(name, value) for name, value in scope["headers"] if name not in dropped]
    if b"host" not in sent:  # HTTP/1.0
        headers.append((b"host", b"localhost"))
    if b"transfer-encoding" in sent:
        headers = [pair for pair in headers if pair[0] != b"content-length"]
        headers.append((b"transfer-encoding", b"chunked"))
    if b"transfer-encoding" in sent or sent.get(b"content-length", b"0") != b"0":
        headers.append((b"expect", b"100-continue"))
    headers.append((b"connection", b"close"))
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    return h11.Request(method=scope["method"].encode(), target=scope["raw_path"] + query, headers=headers)


async def _next_event(wire: h11.Connection, reader: asyncio.StreamReader) -> Any:
    while (event := wire.next_event()) is h11.NEED_DATA:
        wire.receive_data(await reader.read(_PIECE_BYTES))
    if isinstance(event, h11.ConnectionClosed):
        raise ConnectionResetError("the worker closed the connection without an answer")
    return event


def _reachable(address: Any) -> Any:
    """Where a listener at `address` can be connected to: a wildcard stands for this machine."""
    wildcards = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return (wildcards.get(address[0], address[0]), *address[1:])
