"""Each long-lived process ends well when it is told to: as it starts, idle, in the middle of work.

The first process of a container has no handlers but its own: a signal that comes before they are there is
passed over. So they are there before anything slow is imported.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from loop.clock import now_ms
from storage.reports import find_report, request_report
from tests.databases import only_on_sqlite
from tests.homes import ROOT, Home, free_port, wait_for
from tests.journeys.test_alone import untrained
from tests.journeys.trainers import all_runs, beginning_with, log, started, stored, with_held_builds

pytestmark = pytest.mark.slow
PATIENCE_SECONDS = 120
COMMANDS = {
    "serve": "answers at",
    "web": "pages at http",
    "trainer": "waits for training runs",
    "trainer --alone": "waits for training runs",
    "reporter": "waits for reports",
    "reporter --pages": "pages are at http",
    "grafana watch": "not marked yet",
}

#: A process stands still as soon as it has its handler.
STANDS_STILL = """\
import os, signal

real = signal.signal

def signal_and_stop(number, handler):
    before = real(number, handler)
    if number == signal.SIGTERM:
        os.kill(os.getpid(), signal.SIGSTOP)
    return before

signal.signal = signal_and_stop
"""


def handles(process: subprocess.Popen[bytes], number: int) -> bool:
    """Whether the process has a handler of its own for a signal."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        name, _, mask = line.partition(":")
        if name == "SigCgt":
            return bool(int(mask, 16) >> (number - 1) & 1)
    return False


@pytest.fixture
def home(trained: Home, tmp_path: Path) -> Home:
    return trained.copy(
        tmp_path,
        REBENTO_API_PORT=str(free_port()),
        REBENTO_WEB_PORT=str(free_port()),
        REBENTO_REPORTING_PORT=str(free_port()),
        REBENTO_GRAFANA_URL="http://127.0.0.1:1",
        REBENTO_GRAFANA_TOKEN="t",
    )


@contextmanager
def begun(home: Home, command: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command, started; in the end nothing of it may be there, and it said nothing of an error."""
    with started(home, *command.split()) as process:
        yield process
        left = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        assert process.wait(PATIENCE_SECONDS) == 0, log(home)
        wait_for(lambda: not any(one.is_running() for one in left), "its processes to end")
    assert "Traceback" not in log(home), log(home)


@pytest.mark.parametrize("command", ["up", *COMMANDS])
# It ends before it reaches a database.
@only_on_sqlite
def test_a_signal_in_the_first_moments_ends_a_process(home: Home, command: str) -> None:
    home = beginning_with(home, STANDS_STILL)
    with begun(home, command) as process:
        wait_for(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED, "the handler")
        assert handles(process, signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
    assert log(home) == "", "it ended before it had anything to say"


@pytest.mark.parametrize("command", ["web", "trainer"])
# It ends before it reaches a database.
@only_on_sqlite
def test_the_handler_is_there_before_anything_slow_is_imported(home: Home, command: str) -> None:
    # Held where it first asks for a module that is slow to import.
    program = (
        "import builtins, sys, time\n"
        "real = builtins.__import__\n"
        "def held(name, *rest):\n"
        "    if name.partition('.')[0] in ('pydantic', 'sqlalchemy', 'typer', 'rich'):\n"
        "        time.sleep(600)\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = held\n"
        f"sys.argv = ['rebento', '{command}']\n"
        "from cli import main\n"
        "main()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=home.environment) as process:
        try:
            wait_for(lambda: handles(process, signal.SIGTERM), "the handler")
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()


# That a process ends well with connections to PostgreSQL: test_alone.py, test_hosts.py, test_logs.py.
@only_on_sqlite
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_process_that_waits_ends_well(home: Home, command: str, number: signal.Signals) -> None:
    with begun(home, command) as process:
        wait_for(lambda: COMMANDS[command] in log(home), "its word", PATIENCE_SECONDS)
        process.send_signal(number)
        process.send_signal(number)  # Docker, a supervisor and a person may all say so


def test_pages_close_under_a_visitor_who_stays_connected(home: Home) -> None:
    port = int(home.extra["REBENTO_WEB_PORT"])
    with ExitStack() as stack:
        process = stack.enter_context(begun(home, "web"))
        wait_for(lambda: "pages at http" in log(home), "the pages", PATIENCE_SECONDS)
        base = f"http://127.0.0.1:{port}"
        visitor = stack.enter_context(httpx.Client(base_url=base, trust_env=False, timeout=PATIENCE_SECONDS))
        assert visitor.get("/").status_code == 200, "who comes before they are ready waits"
        sender = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        sender.sendall(
            b"POST /files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nh"
        )  # and no more
        process.send_signal(signal.SIGTERM)


def test_a_report_that_is_being_made_waits_for_the_next_start(home: Home) -> None:
    with stored(home) as database, database.writing() as connection:
        asked = request_report(
            connection, "small", trigger="person", reason="a test", asked_json="{}", at_ms=now_ms()
        )
    with begun(home, "reporter") as process:

        def makers() -> list[psutil.Process]:
            return psutil.Process(process.pid).children()

        wait_for(lambda: bool(makers()), "the report to begin", PATIENCE_SECONDS)
        process.send_signal(signal.SIGTERM)
    with stored(home) as database, database.reading() as connection:
        found = find_report(connection, asked.report_id)
    assert found is not None and (found.state, found.attempts, found.claimed_by) == ("requested", 0, None)
    assert not [path for path in home.var.rglob("*") if path.suffix in (".part", ".tmp")]


def test_a_first_training_under_up_ends_well(trained: Home, tmp_path: Path) -> None:
    home, _ = with_held_builds(untrained(trained, tmp_path))
    with started(home, "up") as process:
        wait_for(lambda: "training.build" in _commands(process), "a Bento to be built", PATIENCE_SECONDS)
        beneath = _beneath(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) != 0, "it never answered"
        wait_for(lambda: not any(one.is_running() for one in beneath), "its processes to end")
    with stored(home) as database:
        (run,) = all_runs(database).values()
    assert (run.state, run.error) == ("failed", "it was stopped (KeyboardInterrupt)")
    assert "Traceback" not in log(home), log(home)


def _commands(process: subprocess.Popen[bytes]) -> list[str]:
    words: list[str] = []
    for one in _beneath(process):
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            words += one.cmdline()
    return words


def _beneath(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    assert process.poll() is None, "it ended too soon"
    return psutil.Process(process.pid).children(recursive=True)
