"""Callers of a soak: they ask, tell what was true, scrape, and keep account of every answer."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_PAUSE_SECONDS = 0.004
_SCRAPE_SECONDS = 1.0
_COUNTED = ("api_requests_total", "feedback_total", "predictions_total")


@dataclass
class Account:
    """What was answered and what was not. Times are seconds since the epoch."""

    answered: dict[str, float] = field(default_factory=dict)
    """When each prediction was answered, by its id."""
    acknowledged: Counter[str] = field(default_factory=Counter)
    """How often feedback on each prediction was accepted."""
    refused: Counter[str] = field(default_factory=Counter)
    """Feedback that was refused in a way that a caller can act on."""
    failed: list[tuple[float, float, str]] = field(default_factory=list)
    """From when to when a call was under way that was not answered, and what came instead."""
    bentos: Counter[str] = field(default_factory=Counter)
    slowest_seconds: float = 0.0
    scrapes: int = 0
    resets: Counter[str] = field(default_factory=Counter)
    """How often each counter became smaller from one scrape to the next."""
    lock: threading.Lock = field(default_factory=threading.Lock)


class _Caller:
    """One kept-alive connection, given up now and then."""

    def __init__(self, port: int, account: Account, seed: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._account = account
        self._chance = random.Random(seed)

    def ask(self, method: str, path: str, body: object | None = None) -> tuple[int, bytes] | None:
        """Status and answer; None where there was none, which is noted."""
        began = time.time()
        if self._chance.random() < 0.05:
            self._connection.close()
        text = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, path, text, {"content-type": "application/json"})
            response = self._connection.getresponse()
            said = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            with self._account.lock:
                self._account.failed.append((began, time.time(), f"{path}: {error!r}"))
            return None
        with self._account.lock:
            self._account.slowest_seconds = max(self._account.slowest_seconds, time.time() - began)
        if response.status == 200 or (path == "/feedback" and response.status == 503):
            return response.status, said
        with self._account.lock:
            self._account.failed.append((began, time.time(), f"{path}: {response.status} {said[:300]!r}"))
        return None

    def one_turn(self, row: Mapping[str, Any]) -> None:
        rows = [{**row, "person": self._chance.randrange(10**6)} for _ in range(self._chance.randint(1, 3))]
        answer = self.ask("POST", "/predict", {"rows": rows})
        if answer is None:
            return
        said = json.loads(answer[1])
        ids = [one["prediction_id"] for one in said["predictions"]]
        with self._account.lock:
            self._account.bentos[said["bento"]] += 1
            self._account.answered.update(dict.fromkeys(ids, time.time()))
        if self._chance.random() < 0.3:
            self._tell(ids)

    def _tell(self, ids: list[str]) -> None:
        told = [{"prediction_id": one, "target": self._chance.choice(["yes", "no"])} for one in ids]
        answer = self.ask("POST", "/feedback", {"feedback": told})
        if answer is None:
            return
        with self._account.lock:
            if answer[0] == 200:
                self._account.acknowledged.update(ids)
            else:
                self._account.refused[json.loads(answer[1])["error"]] += 1

    def scrape(self) -> Counter[str]:
        answer = self.ask("GET", "/metrics")
        found: Counter[str] = Counter()
        for line in (b"" if answer is None else answer[1]).decode().splitlines():
            if line.startswith(_COUNTED):
                found[line.rpartition(" ")[0]] = int(float(line.rpartition(" ")[2]))
        return found


@contextmanager
def calling(port: int, row: Mapping[str, Any], seed: int, count: int = 4) -> Iterator[Account]:
    """`count` callers and one who scrapes, for the block. `row`: what is asked about."""
    account, ended = Account(), threading.Event()

    def call(number: int) -> None:
        caller = _Caller(port, account, seed * 100 + number)
        while not ended.wait(_PAUSE_SECONDS):
            caller.one_turn(row)

    def scrape() -> None:
        caller = _Caller(port, account, seed * 100 + count)
        last: Counter[str] = Counter()
        while not ended.wait(_SCRAPE_SECONDS):
            new = caller.scrape()
            if new:
                account.resets.update(name for name in last if new[name] < last[name])
                account.scrapes += 1
                last = new

    threads = [threading.Thread(target=call, args=(number,)) for number in range(count)]
    threads.append(threading.Thread(target=scrape))
    for thread in threads:
        thread.start()
    try:
        yield account
    finally:
        ended.set()
        for thread in threads:
            thread.join()
