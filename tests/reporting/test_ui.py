"""Evidently's pages cost nothing until somebody looks, and leave with whoever started them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.homes import ROOT, free_port, wait_for
from tests.reporting.sides import rows, sides, snapshot

PATIENCE_SECONDS = 120


@contextmanager
def pages(workspace: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The process, its standard input a pipe, once its port is bound."""
    command = [sys.executable, "-m", "reporting.ui", "--workspace", str(workspace), "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            assert b"pages are at" in process.stderr.readline()
            yield process
        finally:
            process.kill()


def test_the_port_is_bound_without_loading_evidently(tmp_path: Path) -> None:
    port = free_port()
    with pages(tmp_path, port) as process, pytest.raises(OSError):
        loaded = {Path(mapped.path).name for mapped in psutil.Process(process.pid).memory_maps()}
        assert not any("numpy" in name or "multiarray" in name for name in loaded)
        assert psutil.Process(process.pid).memory_info().rss < 40_000_000
        assert psutil.Process(process.pid).nice() >= 10
        with socket.socket() as other:
            other.bind(("127.0.0.1", port))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_leaves_when_told_before_anybody_came(tmp_path: Path, number: int) -> None:
    with pages(tmp_path, free_port()) as process:
        process.send_signal(number)
        assert process.wait(PATIENCE_SECONDS) == 0


def test_it_leaves_when_whoever_started_it_is_gone(tmp_path: Path) -> None:
    with pages(tmp_path, free_port()) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE_SECONDS) == 0


def test_a_taken_port_is_one_sentence_and_exit_code_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "reporting.ui", "--workspace", str(tmp_path), "--port", str(port)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        f"port {port} on 127.0.0.1 cannot be had (Address already in use): stop what listens there, "
        "or set REBENTO_REPORTING_PORT to another"
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_first_visitor_is_served_and_sees_what_comes_later(tmp_path: Path) -> None:
    from reporting.workspace import keep_run, project_id

    report = snapshot(sides(rows(200)), at_ms=1_700_000_000_000)
    keep_run(tmp_path, "small", report)
    port = free_port()
    own = {"sec-fetch-site": "same-origin"}
    # Shorter than the pages keep an idle connection: a request must not meet one that is just being closed.
    limits = httpx.Limits(keepalive_expiry=2.0)
    base = f"http://127.0.0.1:{port}"
    with (
        pages(tmp_path, port) as process,
        httpx.Client(base_url=base, timeout=PATIENCE_SECONDS, headers=own, limits=limits) as client,
    ):
        project = project_id("small")
        assert [one["name"] for one in client.get("/api/projects").json()] == ["small"]
        assert "script" in client.get(f"/projects/{project}").text

        def shown() -> list[Any]:
            return list(client.get(f"/api/projects/{project}/snapshots").json())

        assert len(shown()) == 1
        keep_run(tmp_path, "small", snapshot(sides(rows(200)), at_ms=1_700_000_100_000))
        wait_for(lambda: len(shown()) == 2, "the second run")
        foreign = client.delete(f"/api/projects/{project}", headers={"sec-fetch-site": "cross-site"})
        assert foreign.status_code == 403
        assert len(shown()) == 2
        process.send_signal(signal.SIGTERM)  # with a connection open
        assert process.wait(PATIENCE_SECONDS) == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_damaged_run_does_not_keep_the_pages_from_starting(tmp_path: Path) -> None:
    from reporting.workspace import keep_run, project_id

    kept = keep_run(tmp_path, "small", snapshot(sides(rows(200))))
    path = tmp_path / str(project_id("small")) / "snapshots" / f"{kept}.json"
    os.truncate(path, 1000)
    port = free_port()
    with pages(tmp_path, port):
        answer = httpx.get(f"http://localhost:{port}/api/projects", timeout=PATIENCE_SECONDS)
    assert [one["name"] for one in answer.json()] == ["small"]
