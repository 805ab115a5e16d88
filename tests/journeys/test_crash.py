"""kill -9 in the middle, a supervisor that vanishes, a database that is away."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import threading
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from storage.database import Database
from tests.homes import Home, Server, up, wait_for

pytestmark = pytest.mark.slow
Row = dict[str, Any]


def test_a_worker_killed_in_a_stream_of_feedback_loses_none_acknowledged(
    trained: Home, row: Row, tmp_path: Path
) -> None:
    home = trained.copy(tmp_path)
    acknowledged: list[str] = []
    others: Counter[str] = Counter()
    stop = threading.Event()

    def stream(server: Server, number: int) -> None:
        count = 0
        while not stop.is_set():
            key = f"{number}-{count}"
            count += 1
            try:
                body = {"feedback": [{"row": row, "target": "yes", "key": key}]}
                answer = server.call("/feedback", body)
            except (OSError, http.client.HTTPException) as error:  # cut off: not acknowledged
                others[repr(error)] += 1
                stop.wait(0.02)
                continue
            if answer.status == 200:
                acknowledged.append(key)
            else:
                others[str(answer.status)] += 1

    with up(home, workers=2) as server, ExitStack() as streams:
        threads = [threading.Thread(target=stream, args=(server, number)) for number in range(4)]
        for thread in threads:
            thread.start()
            streams.callback(thread.join)
        streams.callback(stop.set)

        def has_gone_on(count: int) -> None:
            try:
                wait_for(lambda: len(acknowledged) > count, f"{count} acknowledged")
            except AssertionError as error:
                raise AssertionError(f"{len(acknowledged)}, {others}\n{server.log.read_text()}") from error

        for wanted in (100, 200, 300):
            has_gone_on(wanted)
            os.kill(server.workers()[0], signal.SIGKILL)
        has_gone_on(400)
        # The whole machine at once: supervisor and workers, none gets a chance to tidy up.
        for process in (psutil.Process(server.process.pid), *psutil.Process(server.process.pid).children()):
            with suppress(psutil.NoSuchProcess):  # the worker killed last may be gone by now
                process.kill()

    database = Database.open(home.database_url)
    with database.reading() as connection:
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
        stored = {key for (key,) in connection.exec_driver_sql("SELECT key FROM feedback")}
    database.close()
    assert set(acknowledged) <= stored


def _accepts(server: Server) -> bool:
    host, port = server.base.removeprefix("http://").split(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except ConnectionError:
        return False
    return True


def _holds(worker: int, connection: http.client.HTTPConnection) -> bool:
    """Whether the connection has come out of the socket's queue, into the worker's hands."""
    own = connection.sock.getsockname()
    return any(found.raddr == own for found in psutil.Process(worker).net_connections("tcp4"))


def test_a_stop_answers_what_is_held_first(trained: Home, row: Row, tmp_path: Path) -> None:
    with up(trained.copy(tmp_path)) as server:
        body = json.dumps({"rows": [row]}).encode()
        connection = http.client.HTTPConnection(server.base.removeprefix("http://"), timeout=90)
        connection.putrequest("POST", "/predict")
        connection.putheader("content-type", "application/json")
        connection.putheader("content-length", str(len(body)))
        connection.endheaders()
        connection.send(body[:20])
        (worker,) = server.workers()
        wait_for(lambda: _holds(worker, connection), "the call to be held")
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: not _accepts(server), "the drain to begin")
        connection.send(body[20:])
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["connection"] == "close"
        assert json.loads(response.read())["predictions"]
        connection.close()
        assert server.process.wait(60) == 0


def test_while_the_database_is_away_answers_go_on_and_feedback_says_503(
    trained: Home, row: Row, tmp_path: Path
) -> None:
    home = trained.copy(tmp_path)
    with up(home) as server:
        (early,) = server.predict(row)
        # Another writer that does not let go: as a stuck backup would.
        holder = Database.open(home.database_url)
        with holder.writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("LOCK TABLE predictions")
            answers = server.predict(*[row] * 3)
            assert len(answers) == 3
            body = {"feedback": [{"prediction_id": early["prediction_id"], "target": "yes"}]}
            refused = server.call("/feedback", body)
            assert refused.status == 503
            assert refused.headers["retry-after"] == "1"
            assert server.metric("prediction_log_waiting_rows") >= 3
        wait_for(lambda: server.call("/feedback", body).status == 200, "the database to be back")
        wait_for(lambda: server.metric("prediction_log_waiting_rows") == 0, "the log to catch up")
        with holder.reading() as connection:
            stored = connection.exec_driver_sql("SELECT count(*) FROM predictions").scalar_one()
        holder.close()
        assert stored == 4
