"""The pages as a process of their own: it leaves when it is told to, and when whoever started it is gone."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.homes import free_port, wait_for
from webapp.plan import Plan
from webapp.server import WebPortTaken, serve

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from pathlib import Path
from use_cases.use_case import SHIPPED, read_use_case
from webapp.plan import Plan
from webapp.server import serve

home = Path(sys.argv[1])
serve(
    Plan(
        use_case="doctor_visits",
        read_use_case=lambda: read_use_case("doctor_visits", [SHIPPED]),
        home=home,
        database_url=f"sqlite:///{home / 'rebento.sqlite'}",
        api_url="http://127.0.0.1:1",
    ),
    "127.0.0.1",
    int(sys.argv[2]),
)
"""


@contextmanager
def _started(home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(home), str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) as process:

        def answers() -> bool:
            assert process.poll() is None
            try:
                return httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).status_code == 200
            except httpx.TransportError:
                return False

        try:
            wait_for(answers, "the pages to answer")
            yield process
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_ends_well_at_a_signal(number: signal.Signals, tmp_path: Path) -> None:
    with _started(tmp_path, free_port()) as process:
        process.send_signal(number)
        assert process.wait(60) == 0


@pytest.mark.slow
def test_the_process_leaves_when_whoever_started_it_is_gone(tmp_path: Path) -> None:
    with _started(tmp_path, free_port()) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0


def test_a_port_that_is_taken_is_refused_in_a_sentence(plan: Plan) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(WebPortTaken, match="REBENTO_WEB_PORT"):
            serve(plan, "127.0.0.1", taken.getsockname()[1])


def test_an_upload_is_spooled_under_the_installations_home(tmp_path: Path) -> None:
    port = free_port()
    start = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n'
        b"Content-Type: text/csv\r\n\r\n" + b"a,b\n" * 500_000
    )
    head = (
        f"POST /files HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(start) + 1_000}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    with _started(tmp_path, port) as process, socket.create_connection(("127.0.0.1", port)) as sender:
        sender.sendall(head.encode() + start)  # and no more: it stays spooled
        files = Path(f"/proc/{process.pid}/fd")

        def spooled() -> bool:
            return any(str(tmp_path / "uploads" / "spool") in _target(one) for one in files.iterdir())

        wait_for(spooled, "the upload to be spooled there")


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # closed meanwhile
        return ""
