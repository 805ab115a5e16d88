"""Callers that ask without pause, so that whatever goes wrong meanwhile is seen."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

_PAUSE_SECONDS = 0.005
_AFTER_A_FAILURE_SECONDS = 0.1


class Callers:
    """`count` callers on kept-alive connections, each asking about one row after the other, until the block
    ends. `base`: the API's address without a path."""

    def __init__(
        self,
        base: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        count: int = 4,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.bentos: Counter[str] = Counter()
        """How many answers each Bento gave."""
        self.failures: list[str] = []
        """What came instead of answers."""
        self._address = base.removeprefix("http://")
        self._bodies = [json.dumps({"rows": [row]}) for row in rows]
        self._headers = {"content-type": "application/json", **(headers or {})}
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(count)]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, place: int) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=60)
        while not self._ended.wait(_PAUSE_SECONDS):
            body = self._bodies[place % len(self._bodies)]
            place += 7
            try:
                connection.request("POST", "/predict", body, self._headers)
                response = connection.getresponse()
                said = response.read()
            except (OSError, http.client.HTTPException) as error:
                self._fail(repr(error))
                connection.close()
                continue
            if response.status != 200:
                self._fail(f"{response.status} {said[:200]!r}")
                continue
            with self._lock:
                self.bentos[json.loads(said)["bento"]] += 1
        connection.close()

    def _fail(self, what: str) -> None:
        with self._lock:
            self.failures.append(what)
        self._ended.wait(_AFTER_A_FAILURE_SECONDS)
