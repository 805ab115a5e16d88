"""The hot routes as plain ASGI: answered before BentoML's own layers, or inside them, alike.

Everything that is not ours goes on to the wrapped application (its pages, its OpenAPI document); what is
nobody's gets our own 404, so that every refusal has one shape.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import orjson

from loop.refusals import InvalidRows, Problem, Refusal, StorageUnavailable, Unauthorised, UnknownPrediction
from runner.durable import durable
from runner.engine import Engine
from runner.gather import Gather

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("rebento.api")

#: The one table from error to status.
STATUS: dict[type[Refusal], int] = {
    InvalidRows: 400,
    Unauthorised: 401,
    UnknownPrediction: 404,
    StorageUnavailable: 503,
}
#: Above this a body is parsed and answered in a thread: 64 KiB keep the event loop for about a millisecond.
_LARGE_BODY_BYTES = 64 * 1024
#: How many times the limit a body may hold and still be read to its end, to be refused in a sentence.
_PATIENCE = 4
#: Our routes that take a body, and the one key of its object.
_POSTS = {"/predict": "rows", "/explain": "rows", "/feedback": "feedback"}
_JSON = (b"content-type", b"application/json")
#: BentoML's own pages and documents, which stay its own.
_BENTOML_PATHS = frozenset(("/", "/docs.json", "/schema.json", "/healthz", "/livez"))
_BENTOML_FOLDERS = ("/static_content/", "/assets/")


@dataclass(slots=True)
class Desk:
    """What the routes need, filled once the service is up. One a process."""

    token: str
    answered: Callable[[str, int, float], bool]
    """Tallies an answer's route, status and seconds; whether a `flush` is due."""
    flush: Callable[[], None]
    flush_seconds: float
    metrics: Callable[[], tuple[bytes, str]]
    engine: Engine | None = None
    gather: Gather | None = None
    in_flight: int = 0
    """Calls that are being answered now."""

    def open(self, engine: Engine) -> None:
        """From now on calls are answered."""
        self.gather = Gather(engine)
        self.engine = engine


class _ClientLeft(Exception):
    """The client hung up before its body had come; there is nobody to answer."""


class HotRoutes:
    """ASGI middleware that answers our routes and passes BentoML's on."""

    def __init__(self, app: App, desk: Desk) -> None:
        self._app = app
        self._desk = desk
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="large-body")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        path, method = scope["path"], scope["method"]
        started = time.perf_counter()
        content_type, retry = _JSON, ()
        route = path
        try:
            if path in _POSTS:
                if method != "POST":
                    status, body = 405, _sentence(f"{path} takes POST, not {method}")
                else:
                    self._desk.in_flight += 1
                    try:
                        status, body = await self._post(path, scope, receive)
                    finally:
                        self._desk.in_flight -= 1
            elif path == "/metrics" and method in ("GET", "HEAD"):
                text, kind = await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._desk.metrics
                )
                status, body, content_type = 200, text, (b"content-type", kind.encode())
            elif path == "/readyz" and method in ("GET", "HEAD"):
                ready = self._desk.engine is not None
                status, body = (200, b"\n") if ready else (503, _sentence("not ready yet; ask again"))
                content_type = (b"content-type", b"text/plain") if ready else _JSON
            elif path in _BENTOML_PATHS or path.startswith(_BENTOML_FOLDERS):
                return await self._app(scope, receive, send)
            else:
                route = "other"  # unknown paths share one series
                known = (
                    "POST /predict, /explain, /feedback and GET /metrics, /livez, /readyz; / shows them all"
                )
                status, body = 404, _sentence(f"nothing is here; there are {known}")
        except _ClientLeft:
            return
        except Refusal as refusal:
            status, body = _refused(refusal)
            if status == 503:
                retry = ((b"retry-after", b"1"),)
            elif status == 401:
                retry = ((b"www-authenticate", b"Bearer"),)
        except Exception:
            log.exception("a request failed route=%s", route)
            status, body = 500, _sentence("the service failed on this request; its log says why")
        headers = [content_type, (b"content-length", str(len(body)).encode()), *retry]
        # Before it is sent: who has the answer finds it counted.
        if self._desk.answered(route, status, time.perf_counter() - started):
            asyncio.get_running_loop().call_later(self._desk.flush_seconds, self._desk.flush)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body if method != "HEAD" else b""})

    async def _post(self, path: str, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        headers = dict(scope["headers"])
        self._check_token(headers)
        _check_headers(headers)
        engine = self._desk.engine
        if engine is None:
            raise StorageUnavailable("the service is starting; send the call again")
        body = await _read(receive, headers, engine.limits.body_bytes)
        key = _POSTS[path]
        if path == "/feedback":
            if len(body) > _LARGE_BODY_BYTES:
                future = await self._in_thread(lambda: engine.feedback(_payload(body, key)))
            else:
                future = engine.feedback(_payload(body, key))
            return 200, orjson.dumps(await durable(future))
        if path == "/predict" and len(body) <= _LARGE_BODY_BYTES:
            assert self._desk.gather is not None  # set before the engine
            return 200, orjson.dumps(await self._desk.gather.answer(engine.check(_payload(body, key))))
        answer = engine.predict if path == "/predict" else engine.explain
        return 200, await self._in_thread(lambda: orjson.dumps(answer(_payload(body, key))))

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _check_token(self, headers: dict[bytes, bytes]) -> None:
        token = self._desk.token
        if token and not hmac.compare_digest(headers.get(b"authorization", b""), b"Bearer " + token.encode()):
            raise Unauthorised("send the header Authorization: Bearer with the token of this service")


def _check_headers(headers: dict[bytes, bytes]) -> None:
    kind = headers.get(b"content-type", b"application/json").split(b";")[0].strip().lower()
    if kind != b"application/json":
        raise InvalidRows(
            f"the body is {kind.decode('latin-1')[:100]}; send JSON with content-type: application/json"
        )
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise InvalidRows("the body is compressed; send it as plain JSON, without content-encoding")


async def _read(receive: Receive, headers: dict[bytes, bytes], most: int) -> bytes:
    """The whole body. One that is too large is read on for a while and dropped: a client that is still
    sending when it is answered sees a reset connection, and never the sentence."""
    too_large = InvalidRows(f"the body is larger than {most:,} bytes; send fewer rows in each call")
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > _PATIENCE * most:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientLeft
        chunk = message.get("body", b"")
        size += len(chunk)
        is_last = not message.get("more_body", False)
        if size > most:
            chunks.clear()
            if is_last or size > _PATIENCE * most:
                raise too_large
        elif is_last:
            return b"".join((*chunks, chunk)) if chunks else chunk
        else:
            chunks.append(chunk)


def _payload(body: bytes, key: str) -> Any:
    """What the body's object holds under its one allowed key."""
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        payload = _lenient(body, error)
    if not isinstance(payload, dict):
        raise InvalidRows(f'the body is no JSON object; send {{"{key}": […]}}')
    if "entities" in payload:
        raise InvalidRows('entities is reserved for rows looked up by id; send the rows themselves in "rows"')
    unknown = [name for name in payload if name != key]
    if unknown:
        listed = ", ".join(str(name)[:60] for name in unknown[:10])
        raise InvalidRows(f'the body has unknown parts: {listed}; send only {{"{key}": […]}}')
    return payload.get(key)


def _lenient(body: bytes, error: orjson.JSONDecodeError) -> Any:
    """A body that only NaN or Infinity keeps from being JSON, so that the refusal names the column."""
    if b"NaN" in body or b"Infinity" in body:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            pass  # broken in more ways: the sentence below says where
    raise InvalidRows(f"the body is not valid JSON: {error}") from error


def _refused(refusal: Refusal) -> tuple[int, bytes]:
    status = next((STATUS[kind] for kind in type(refusal).__mro__ if kind in STATUS), 500)
    detail: tuple[Problem, ...] = getattr(refusal, "detail", ())
    body = {
        "error": str(refusal),
        "detail": [problem.as_dict() for problem in detail],
        "missing_features": list(getattr(refusal, "missing_features", ())),
    }
    # Text from a caller may hold lone surrogates, which JSON in UTF-8 cannot carry.
    return status, json.dumps(body).encode()


def _sentence(sentence: str) -> bytes:
    return orjson.dumps({"error": sentence, "detail": [], "missing_features": []})
