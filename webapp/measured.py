"""Counts the pages' requests by route, and answers `/metrics` and `/livez`, which stay open to every host."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitoring import catalogue
from monitoring.metrics import counter, histogram


class Measured:
    """ASGI middleware, outermost: what Safety refuses is counted, too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._registry = CollectorRegistry()
        ProcessCollector(namespace="web", registry=self._registry)
        self._requests = counter(catalogue.PAGES, self._registry)
        self._latency = histogram(catalogue.PAGES_LATENCY, self._registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if scope["path"] in ("/metrics", "/livez") and scope["method"] in ("GET", "HEAD"):
            return await self._own(scope["path"])(scope, receive, send)
        started = time.perf_counter()
        status = 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sent)
        finally:
            # The router notes the route it chose; what it knows none for shares one series.
            route = getattr(scope.get("route"), "path", "other")
            self._requests.labels(route, str(status)).inc()
            self._latency.labels(route).observe(time.perf_counter() - started)

    def _own(self, path: str) -> Response:
        if path == "/livez":
            return PlainTextResponse("\n")
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)
