"""What is left when processes are killed, and who may take it over."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.homes import ROOT, free_port, wait_for
from tests.supervisor.conftest import SmallHome
from tests.supervisor.test_swap import busy

SLEEPER = "import sys, pathlib; pathlib.Path(sys.argv[1]).open('a').write('x'); sys.stdin.read()"


def all_gone(processes: list[psutil.Process]) -> bool:
    """Whether all have ended. Orphans are buried by whoever is process 1, which may take its time."""
    running = []
    for process in processes:
        try:
            running.append(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            continue
    return not any(running)


def test_a_worker_that_is_killed_is_started_again(home: SmallHome) -> None:
    with home.supervised() as supervisor:
        (victim, other) = home.workers(supervisor, "a")
        victim.kill()
        wait_for(lambda: victim not in home.workers(supervisor, "a"), "its end")
        wait_for(lambda: len(home.workers(supervisor, "a")) == 2, "another")
        assert other.is_running()
        assert home.answers() == "small:a"


def test_a_worker_whose_files_are_gone_is_missed_and_the_others_go_on(home: SmallHome) -> None:
    with home.supervised() as supervisor:
        folder = home.folder / "bentos" / "small-a"
        (victim, other) = home.workers(supervisor, "a")
        folder.rename(home.folder / "elsewhere")
        victim.kill()
        wait_for(lambda: "cannot be started" in home.log.read_text(), "the supervisor to say so")
        (home.folder / "elsewhere").rename(folder)
        wait_for(lambda: len(home.workers(supervisor, "a")) == 2, "another once they are back")
        assert other.is_running()


def test_a_child_that_is_killed_is_started_again_and_ends_with_the_supervisor(home: SmallHome) -> None:
    marks = home.folder / "marks"
    command = [sys.executable, "-c", SLEEPER, str(marks)]
    with home.supervised(children={"trainer": command}) as supervisor:

        def children() -> list[psutil.Process]:
            return [one for one in supervisor.children() if one.status() != psutil.STATUS_ZOMBIE
                    and str(marks) in one.cmdline()]  # fmt: skip

        wait_for(lambda: marks.exists() and marks.read_text() == "x", "its start")
        (victim,) = children()
        victim.kill()
        wait_for(lambda: marks.read_text() == "xx", "its second start")
    assert "the trainer ended and is started again" in home.log.read_text()


def test_a_killed_supervisor_is_followed_by_another_without_a_refused_call(home: SmallHome) -> None:
    with home.supervised(orphan_seconds=60) as killed, ExitStack() as until_the_end:
        promoted = home.request("b")
        home.wait(promoted, "probation")
        home.wait_for_handover(promoted)
        orphans, warm = home.workers(killed, "b"), home.workers(killed, "a")
        killed.kill()
        killed.wait()
        wait_for(lambda: all_gone(warm), "the warm ones to leave", 30)
        supervisor = until_the_end.enter_context(home.supervised())
        with busy(home) as seen:
            wait_for(lambda: len(seen) > 50, "calls")
            wait_for(lambda: all_gone(orphans), "the orphans to leave", 40)
            new = {worker.pid for worker in home.workers(supervisor, "b")}
            assert home.ask()[2] in new
            assert home.state(promoted) == "done"
            assert home.champion == "small:b"
            home.wait(home.request("c"), "probation")
            wait_for(lambda: seen[-1] == (200, "small:c"), "what is promoted next")
        assert {status for status, _ in seen} == {200}


def test_a_promotion_that_had_only_begun_when_the_supervisor_was_killed_has_failed(home: SmallHome) -> None:
    home.behave("b", load_seconds=600)
    with home.supervised() as killed:
        asked = home.request("b")
        home.wait(asked, "starting")
        wait_for(lambda: len(home.workers(killed, "b")) == 2, "its workers")
        home.wait_until_noted(killed)
        everything = killed.children()
        killed.kill()
        killed.wait()
    with home.supervised():
        failed = home.wait(asked, "failed")
        assert "the supervisor ended before the workers of small:b answered" in str(failed.error)
        assert home.answers() == "small:a"
        wait_for(lambda: all_gone(everything), "what was left to leave")


@pytest.mark.parametrize("where", ["the same home", "another home"])
def test_a_second_supervisor_is_refused(
    home: SmallHome, where: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with home.supervised() as first:
        if where == "the same home":
            command = home.command(port=free_port())
            said = f"another `rebento up` (process {first.pid}) already serves from {home.folder}: stop it"
        else:
            other = SmallHome(tmp_path_factory.mktemp("other"), home.port)
            other.database.close()
            command = other.command()
            said = f"port {home.port} on 127.0.0.1 cannot be had (Address already in use): stop what listens"
        second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert second.returncode == 1
        assert second.stderr.startswith(f"refused: {said}")
        assert home.answers() == "small:a"


def test_the_folder_of_counters_goes_with_the_supervisor(home: SmallHome) -> None:
    def folder(process: psutil.Process) -> Path:
        return Path(process.environ()["PROMETHEUS_MULTIPROC_DIR"])

    with home.supervised() as killed:
        orphans = home.workers(killed, "a")
        left = folder(orphans[0])
        killed.kill()
        killed.wait()
    with home.supervised() as supervisor:
        wait_for(lambda: all_gone(orphans), "those who are replaced to leave")
        victim = home.workers(supervisor, "a")[0]
        used = folder(victim)
        assert used.is_dir() and used != left
        wait_for(lambda: home.ask()[2] == victim.pid, "an answer that it counts")
        victim.send_signal(signal.SIGKILL)
        wait_for(lambda: "is started again" in home.log.read_text(), "its burial")
        assert list(used.glob(f"counter_{victim.pid}.db")), "what it counted stays counted"
    assert not used.exists()
    wait_for(lambda: not left.exists(), "it to be swept once those who were left behind had ended")
