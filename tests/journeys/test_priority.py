"""What runs beside the API makes way for answers, from its first instruction on."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from runner.priority import NICENESS, at_low_priority
from tests.databases import only_on_sqlite
from tests.homes import Home, free_port, wait_for
from tests.journeys.trainers import beginning_with, log, started

#: Runs before the first line of ours: notes the nice value of whichever thread imports one of these.
WITNESS = """\
import os, sys, threading

class Witness:
    def find_spec(self, name, path=None, target=None):
        if name in {watched!r}:
            with open({file!r}, "a") as file:
                print(name, os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), file=file)

sys.meta_path.insert(0, Witness())
"""
WATCHED = ("typer", "sqlalchemy", "numpy", "sklearn", "onnxruntime", "starlette", "jinja2")


def priorities(process: psutil.Process) -> set[int]:
    """The nice values of all threads."""
    found = set()
    for thread in process.threads():
        with suppress(ProcessLookupError):  # it has just ended
            found.add(os.getpriority(os.PRIO_PROCESS, thread.id))
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives each thread a priority of its own")
@pytest.mark.parametrize(
    ("command", "while_ready", "imports", "said"),
    [
        (
            "trainer",
            NICENESS,
            {"typer", "sqlalchemy", "numpy", "sklearn", "onnxruntime"},
            "waits for training",
        ),
        ("reporter", 0, {"typer", "sqlalchemy"}, "waits for reports"),
        ("web", 0, {"typer", "sqlalchemy", "starlette", "jinja2"}, "pages at http"),
    ],
)
# What is imported when.
@only_on_sqlite
def test_it_imports_at_low_priority(
    trained: Home, tmp_path: Path, command: str, while_ready: int, imports: set[str], said: str
) -> None:
    seen = tmp_path / "seen"
    home = trained.copy(tmp_path / "home", REBENTO_WEB_PORT=str(free_port()))
    home = beginning_with(home, WITNESS.format(watched=WATCHED, file=str(seen)))
    ours = os.nice(0)
    with started(home, command) as process:
        wait_for(lambda: said in log(home), "it to be ready")
        wait_for(
            lambda: priorities(psutil.Process(process.pid)) == {ours + while_ready},
            "every thread to have the priority it works with",
        )
    noted = dict(line.split() for line in seen.read_text().splitlines())
    assert {name: noted.get(name) for name in imports} == dict.fromkeys(imports, str(ours + NICENESS))


def test_what_fails_at_low_priority_fails_here() -> None:
    with pytest.raises(ZeroDivisionError):
        at_low_priority(lambda: 1 // 0)
    assert at_low_priority(lambda: os.getpriority(os.PRIO_PROCESS, 0)) == os.nice(0) + NICENESS
    assert os.getpriority(os.PRIO_PROCESS, 0) == os.nice(0)
