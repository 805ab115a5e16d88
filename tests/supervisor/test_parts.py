"""The socket, a hanging worker, and what answers are counted as."""

from __future__ import annotations

import fcntl
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from prometheus_client.values import MultiProcessValue

from supervisor.answers import Answers, answers_of
from supervisor.counters import counters
from supervisor.fleet import Fleet
from supervisor.listening import PortTaken, listen, steer_to_newest, waiting_at_elders
from supervisor.orphans import Predecessor
from supervisor.worker import Launch
from tests.homes import free_port, wait_for


def accepted(*sockets: socket.socket) -> list[int]:
    """How many of 40 new connections each gets."""
    port = sockets[0].getsockname()[1]
    callers = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(40)]
    counts = [0] * len(sockets)
    # A connection is in the queue a moment after its caller has it.
    while sum(counts) < 40 and (waiting := select.select(sockets, [], [], 30)[0]):
        for one in waiting:
            one.accept()[0].close()
            counts[sockets.index(one)] += 1
    for caller in callers:
        caller.close()
    return counts


def test_connections_go_to_those_who_accept_and_then_to_the_newest_alone() -> None:
    port = free_port()
    with listen("127.0.0.1", port) as old:
        with listen("127.0.0.1", port, beside_orphans=True) as new:
            assert accepted(old) == [40], "the new one does not listen yet"
            new.listen(100)
            shared = accepted(old, new)
            assert sum(shared) == 40 and all(shared)
            assert steer_to_newest(new)
            assert accepted(old, new) == [0, 40]
            old.close()
            assert accepted(new) == [40]


def test_workers_left_behind_end_once_they_have_accepted_what_waits() -> None:
    port = free_port()
    with (
        listen("127.0.0.1", port) as old,
        listen("127.0.0.1", port, beside_orphans=True) as new,
        socket.create_connection(("127.0.0.1", port)),
        subprocess.Popen(["cat"], stdin=subprocess.PIPE) as worker,
    ):
        left = Predecessor(port, (psutil.Process(worker.pid),), ())
        new.listen(100)
        wait_for(lambda: waiting_at_elders(new) == 1, "the connection to wait")
        left.replace(new)
        replaced = time.monotonic()
        left.look(replaced + 10)
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(0.5)
        old.accept()[0].close()
        left.look(replaced + 11)
        assert worker.wait(30) == -signal.SIGTERM


def test_workers_left_behind_that_accept_nothing_end_nevertheless() -> None:
    port = free_port()
    with (
        listen("127.0.0.1", port),
        listen("127.0.0.1", port, beside_orphans=True) as new,
        socket.create_connection(("127.0.0.1", port)),
        subprocess.Popen(["cat"], stdin=subprocess.PIPE) as worker,
    ):
        left = Predecessor(port, (psutil.Process(worker.pid),), ())
        new.listen(100)
        left.replace(new)
        left.look(time.monotonic() + 30)
        assert worker.wait(30) == -signal.SIGTERM


@pytest.mark.parametrize("shares", [False, True])
def test_a_port_that_a_stranger_listens_on_is_refused(shares: bool) -> None:
    with socket.socket() as stranger:
        if shares:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        with pytest.raises(PortTaken, match=r"cannot be had .* set REBENTO_API_PORT to another"):
            listen("127.0.0.1", stranger.getsockname()[1])


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    code = tmp_path / "runner"
    code.mkdir()
    (code / "__init__.py").touch()
    shutil.copy(Path(__file__).parent / "small_worker.py", code / "worker.py")
    (code / "behaviour.json").write_text("{}")
    with listen("127.0.0.1", free_port()) as listener, counters(tmp_path) as shared:
        yield Launch("small:a", tmp_path, listener.fileno(), {}, shared, 2, 20)


def test_counters_that_nobody_uses_any_more_are_removed_and_others_stay(tmp_path: Path) -> None:
    with counters(tmp_path, memory=tmp_path) as mine, counters(tmp_path, memory=tmp_path) as others:
        left = tmp_path / "rebento-metrics-left"
        left.mkdir()
        (left / "lock").touch()
        sleeper = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(mine.lock_fd,))
        with counters(tmp_path, memory=tmp_path):
            assert not left.exists()
            assert mine.folder.is_dir() and others.folder.is_dir()
        sleeper.communicate()


def test_a_folder_that_another_supervisor_swept_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.flock

    def late(descriptor: int, how: int) -> None:
        if how == fcntl.LOCK_EX:
            monkeypatch.undo()
            with counters(tmp_path, memory=tmp_path):
                pass
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with counters(tmp_path, memory=tmp_path) as made:
        assert (made.folder / "lock").is_file()
        with counters(tmp_path, memory=tmp_path):
            assert made.folder.is_dir()
    assert not list(tmp_path.iterdir())


def test_without_files_in_memory_counters_lie_at_home(tmp_path: Path) -> None:
    with counters(tmp_path, memory=tmp_path / "nowhere") as shared:
        assert shared.folder.parent == tmp_path / "metrics"
    assert not shared.folder.exists()


@pytest.mark.slow
def test_a_worker_that_hangs_is_ended_and_counted_as_a_crash(launch: Launch) -> None:
    fleet = Fleet(launch, 1, "accept", hanging_seconds=0.5)

    def looked(condition: bool) -> bool:
        fleet.look(time.monotonic())
        return condition

    try:
        wait_for(lambda: looked(fleet.obeys), "the worker")
        (hanging,) = fleet.processes
        (worker,) = fleet._workers
        worker.process.send_signal(signal.SIGSTOP)
        wait_for(lambda: looked(fleet.obeys and fleet.processes != [hanging]), "another")
        assert fleet.crashes == 1
        assert fleet.pids == [hanging, *fleet.processes]
    finally:
        fleet.end()
        wait_for(lambda: looked(fleet.is_gone), "all to leave")


@pytest.mark.slow
def test_workers_that_are_killed_while_others_still_load_are_no_failed_start(launch: Launch) -> None:
    fleet = Fleet(launch, 2, "accept", ready_seconds=600)

    def looked(condition: Callable[[], bool]) -> bool:
        fleet.look(time.monotonic())
        return condition()

    try:
        fleet.look(time.monotonic())
        loading = fleet._workers[0].process
        loading.send_signal(signal.SIGSTOP)  # for as long as we like
        for crashes in range(1, 5):
            wait_for(lambda: looked(lambda: any(one.is_ready for one in fleet._workers)), "a worker")
            next(one for one in fleet._workers if one.is_ready).process.kill()
            wait_for(lambda crashes=crashes: looked(lambda: fleet.crashes == crashes), "its end")
        loading.send_signal(signal.SIGCONT)
        wait_for(lambda: looked(lambda: fleet.obeys), "both")
        assert fleet.failure is None
    finally:
        fleet.end()
        wait_for(lambda: looked(lambda: fleet.is_gone), "all to leave")


def test_answers_are_counted_by_process_and_probes_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    value = MultiProcessValue(lambda: 4711)
    for route, status, count in (
        ("/predict", "200", 5),
        ("/predict", "500", 2),
        ("/feedback", "503", 1),
        ("/livez", "200", 90),
    ):
        labels = (("route", route), ("status", status))
        names, values = zip(*labels, strict=True)
        value("counter", "api_requests", "api_requests_total", names, values, "Requests.").inc(count)
    assert answers_of([4711, 4712], tmp_path) == Answers(answers=8, errors=2)


@pytest.mark.parametrize("content", [b"", b"\x00\x00", b"\xff" * 64, b"\x20\x00\x00\x00" + b"\x01" * 60])
def test_a_file_that_a_worker_has_only_begun_to_write_counts_nothing_yet(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "counter_4711.db").write_bytes(content)
    assert answers_of([4711], tmp_path) == Answers(answers=0, errors=0)
