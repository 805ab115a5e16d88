"""Real workers of a real Bento take over from each other on one socket, under keep-alive traffic."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.priority import NICENESS
from tests.databases import only_on_sqlite
from tests.homes import Home, wait_for

# Workers take turns at a socket: that no call fails does not hang on where the log goes.
pytestmark = [pytest.mark.slow, only_on_sqlite]
Row = dict[str, Any]


@dataclass(frozen=True)
class Process:
    """One worker process, told by its standard input."""

    process: subprocess.Popen[bytes]
    says: Any

    def hears(self) -> str:
        return self.says.readline().decode().strip()

    def tell(self, command: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n".encode())
        self.process.stdin.flush()
        return self.hears()

    def orphan(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def thread_states(self) -> dict[str, int]:
        """Nice value of each thread."""
        found = {}
        for stat in Path(f"/proc/{self.process.pid}/task").glob("*/stat"):
            with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                found[stat.parent.name] = int(stat.read_text().rpartition(")")[2].split()[16])
        return found

    def is_at_full_priority(self) -> bool:
        """Whether every thread has the nice value of whoever started it; one that leaves takes a moment."""
        return set(self.thread_states().values()) == {os.nice(0)}


@contextmanager
def worker(home: Home, listener: socket.socket, **environment: str) -> Iterator[Process]:
    """A worker of the home's newest Bento, which may not be ready yet."""
    tag = home.tags()[-1]
    folder = home.var / "bentoml" / "bentos" / tag.replace(":", "/") / "src"
    said, ready = os.pipe()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "runner.worker", tag),
            *("--fd", str(listener.fileno()), "--ready-fd", str(ready)),
        ],
        cwd=folder,
        env={**home.environment, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1", **environment},
        stdin=subprocess.PIPE,
        pass_fds=(listener.fileno(), ready),
    )
    os.close(ready)
    try:
        with os.fdopen(said, "rb", buffering=0) as says:
            yield Process(process, says)
    finally:
        process.terminate()
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


@pytest.fixture(scope="module")
def home(trained: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return trained.copy(tmp_path_factory.mktemp("standby"))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        yield listening


class Caller:
    """A kept-alive connection that predicts one row again and again."""

    def __init__(self, listener: socket.socket, row: Row) -> None:
        self._port = listener.getsockname()[1]
        self._body = json.dumps({"rows": [row]}).encode()
        self.http = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)

    def predict(self, seconds_between: float = 0) -> bool:
        """Whether the connection ends with the answer, which is a right one."""
        self.http.putrequest("POST", "/predict")
        self.http.putheader("content-type", "application/json")
        self.http.putheader("content-length", str(len(self._body)))
        self.http.endheaders()
        for start in range(0, len(self._body), len(self._body) if not seconds_between else 50):
            piece = self._body[start:] if not seconds_between else self._body[start : start + 50]
            self.http.send(piece)
            time.sleep(seconds_between)  # the client is slow: that is the case, not a wait
        response = self.http.getresponse()
        answer = json.loads(response.read())
        assert response.status == 200, answer
        assert len(answer["predictions"]) == 1
        return response.headers.get("connection") == "close"


def test_a_worker_that_starts_in_standby_loads_at_low_priority_and_serves_at_full(
    home: Home, listener: socket.socket, row: Row
) -> None:
    with worker(home, listener, WORKER_STARTS="standby") as loading:
        lowered: set[int] = set()

        def is_lowered() -> bool:
            lowered.update(loading.thread_states().values())
            return os.nice(0) + NICENESS in lowered

        wait_for(is_lowered, "a thread of low priority")
        assert loading.hears() == "ready 2"
        wait_for(loading.is_at_full_priority, "full priority")
        assert loading.tell("accept") == "accepting"
        caller = Caller(listener, row)
        assert not caller.predict()
        caller.http.close()
        assert loading.is_at_full_priority()


def test_no_call_fails_while_workers_take_turns(home: Home, listener: socket.socket, row: Row) -> None:
    failed: list[BaseException] = []
    answers: list[bool] = []
    stop = threading.Event()

    def calling(seconds_between: float = 0, pause: float = 0) -> None:
        caller = Caller(listener, row)
        while not stop.wait(pause) and not failed:
            try:
                closes = caller.predict(seconds_between)
            except (OSError, http.client.HTTPException, AssertionError) as error:
                failed.append(error)
                return
            answers.append(closes)
            if closes:
                caller.http.close()
        caller.http.close()

    with ExitStack() as stack:
        first = stack.enter_context(worker(home, listener))
        second = stack.enter_context(worker(home, listener, WORKER_STARTS="standby"))
        assert (first.hears(), second.hears()) == ("ready 2", "ready 2")
        threads = [
            *(threading.Thread(target=calling) for _ in range(4)),
            *(threading.Thread(target=calling, kwargs={"pause": 0.3}) for _ in range(8)),
            *(threading.Thread(target=calling, kwargs={"seconds_between": 0.05}) for _ in range(4)),
        ]
        for thread in threads:
            thread.start()
        for _ in range(10):
            for on, off in ((second, first), (first, second)):
                assert on.tell("accept") == "accepting"
                assert off.tell("standby") == "standby"
                wanted = len(answers) + 100
                wait_for(lambda wanted=wanted: len(answers) > wanted or bool(failed), "answers")
        stop.set()
        for thread in threads:
            thread.join()
    assert not failed
    assert sum(answers) > 20  # answers that closed: the turns were taken


def test_a_worker_in_standby_leaves_at_once_when_orphaned_and_one_that_accepts_after_its_time(
    home: Home, listener: socket.socket, row: Row
) -> None:
    with ExitStack() as stack:
        accepting = stack.enter_context(worker(home, listener, WORKER_ORPHAN_SECONDS="6"))
        standing = stack.enter_context(
            worker(home, listener, WORKER_STARTS="standby", WORKER_ORPHAN_SECONDS="600")
        )
        assert (accepting.hears(), standing.hears()) == ("ready 2", "ready 2")
        standing.orphan()
        assert standing.process.wait(60) == 0
        began = time.monotonic()
        accepting.orphan()
        caller = Caller(listener, row)
        assert not caller.predict()
        caller.http.close()
        assert accepting.process.wait(60) == 0
        assert time.monotonic() - began > 6


def test_a_killed_successor_costs_no_answer(home: Home, listener: socket.socket, row: Row) -> None:
    with ExitStack() as stack:
        old = stack.enter_context(worker(home, listener))
        new = stack.enter_context(worker(home, listener, WORKER_STARTS="standby"))
        assert (old.hears(), new.hears()) == ("ready 2", "ready 2")
        caller = Caller(listener, row)
        assert not caller.predict()
        new.tell("accept")
        old.tell("standby")
        new.process.send_signal(signal.SIGKILL)
        new.process.wait()
        assert caller.predict()
        assert old.tell("accept") == "accepting"
        caller.http.close()
        assert not caller.predict()
        caller.http.close()
