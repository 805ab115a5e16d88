"""A real installation whose supervisor, trainer, disk or files are taken away."""

from __future__ import annotations

import http.client
import json
import os
import resource
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.databases import only_on_sqlite
from tests.homes import BIN, Home, Server, free_port, serving, up, wait_for
from tests.journeys.command_line import refused
from tests.processes import beneath, is_there

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
Row = dict[str, Any]


@contextmanager
def called(server: Server, row: Row) -> Iterator[list[int]]:
    """Callers on connections of their own, again and again: the statuses they get. None may be refused."""
    statuses: list[int] = []
    broken: list[Exception] = []
    stop = threading.Event()

    def call() -> None:
        body = json.dumps({"rows": [row]})
        while not stop.is_set():
            connection = http.client.HTTPConnection(server.base.removeprefix("http://"), timeout=60)
            try:
                connection.request("POST", "/predict", body, {"content-type": "application/json"})
                response = connection.getresponse()
                response.read()
                statuses.append(response.status)
            except (OSError, http.client.HTTPException) as error:
                broken.append(error)
            finally:
                connection.close()

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not broken


def test_a_killed_supervisor_is_replaced_on_its_port_without_a_refused_call(
    trained: Home, row: Row, tmp_path: Path
) -> None:
    home = trained.copy(tmp_path, REBENTO_WORKERS="2")
    port = free_port()
    command = [str(BIN / "rebento"), "up"]
    with serving(home, command, port) as killed, ExitStack() as second:
        wait_for(lambda: bool(beneath(killed.process.pid, "cli trainer")), "the trainer")
        workers, trainers = (
            beneath(killed.process.pid, "runner.worker"),
            beneath(killed.process.pid, "cli trainer"),
        )
        killed.process.kill()
        killed.process.wait()
        wait_for(lambda: not any(is_there(one) for one in trainers), "the trainer to follow")
        assert killed.predict(row), "the workers go on"
        with called(killed, row) as statuses:
            server = second.enter_context(serving(home, command, port))
            wait_for(lambda: not any(is_there(one) for one in workers), "the orphans to be replaced")
            assert len(beneath(server.process.pid, "runner.worker")) == 2
            count = len(statuses)
            wait_for(lambda: len(statuses) > count + 20, "calls that only the new ones can answer")
        assert set(statuses) == {200}


def test_a_trainer_that_is_killed_is_started_again(trained: Home, row: Row, tmp_path: Path) -> None:
    with up(trained.copy(tmp_path)) as server:
        wait_for(lambda: bool(beneath(server.process.pid, "cli trainer")), "the trainer")
        (victim,) = beneath(server.process.pid, "cli trainer")
        victim.kill()
        wait_for(lambda: any(one != victim for one in beneath(server.process.pid, "cli trainer")), "another")
        assert server.predict(row)


# Of this machine's disk; a PostgreSQL has its own.
@only_on_sqlite
def test_on_a_full_disk_answers_go_on_and_a_promotion_says_why_it_cannot_be(
    two: Home, row: Row, tmp_path: Path
) -> None:
    home = two.copy(tmp_path)
    a, b = home.tags()
    with up(home) as server:

        def limit(soft: int) -> None:
            """No file of the running processes may grow, as on a disk without room; or they may again."""
            running = psutil.Process(server.process.pid)
            for process in (running, *running.children()):
                hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[1]
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (soft, hard))

        wait_for(lambda: "Ctrl-C" in server.log.read_text(), "the supervisor to know that it is up")
        limit(0)
        assert server.call("/predict", {"rows": [row] * 3}).json["bento"] == a
        wait_for(lambda: server.metric("prediction_log_waiting_rows") >= 3, "the log to wait")
        promoted = subprocess.run(
            ["sh", "-c", 'ulimit -f 0; "$@" 2>&1 | cat', "sh", BIN / "rebento", "promote", b],
            cwd=home.folder,
            env=home.environment,
            capture_output=True,
            text=True,
            timeout=150,
        )
        assert promoted.stdout.startswith("rebento: the database ") and "disk I/O" in promoted.stdout
        for _ in range(20):
            assert server.call("/predict", {"rows": [row]}).json["bento"] == a
        limit(resource.RLIM_INFINITY)
        wait_for(lambda: server.metric("prediction_log_waiting_rows") == 0, "the log to catch up")
        home.rebento("promote", b)
        wait_for(lambda: server.call("/predict", {"rows": [row]}).json["bento"] == b, "the promotion")


def test_when_files_of_a_bento_are_lost_the_others_go_on(two: Home, row: Row, tmp_path: Path) -> None:
    home = two.copy(tmp_path)
    a, b = home.tags()
    bentos = home.var / "bentoml" / "bentos"
    with up(home) as server:
        shutil.move(bentos / b.replace(":", "/"), tmp_path / "elsewhere")
        said = refused(home, "promote", b)
        assert said.startswith(f"the files of {b} are gone from") and "`rebento promote TAG`" in said
        assert server.call("/predict", {"rows": [row]}).json["bento"] == a
        shutil.move(tmp_path / "elsewhere", bentos / b.replace(":", "/"))
        home.rebento("promote", b)
        shutil.rmtree(bentos / b.replace(":", "/"))
        os.kill(server.process.pid, signal.SIGTERM)
        server.process.wait(60)
    said = refused(home, "up")
    assert said.startswith(f"the files of {b} are gone from") and "`rebento rollback`" in said
    home.rebento("rollback")
    with up(home) as server:
        assert server.call("/predict", {"rows": [row]}).json["bento"] == a
