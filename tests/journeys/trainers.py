"""`rebento trainer` and `rebento train` as processes, and data that keeps them waiting."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from loop.clock import now_ms
from storage.database import Database
from storage.promotions import promotions
from storage.runs import Run, request_run, runs
from storage.versions import history, versions
from tests.homes import BIN, Home, wait_for
from tests.processes import beneath

# A gate in the data: a test stops a run there for as long as it likes. What arrives from outside while it
# waits comes out as an error of the loader's own, as libraries do it.
_GATED = """\
import time
from pathlib import Path

from use_cases.doctor_visits.loader import person_years

HERE = Path(__file__).parent

def rows(data):
    try:
        while (HERE / "gate").exists():
            (HERE / "waits").touch()
            time.sleep(0.01)
    except BaseException as error:
        raise ValueError("the reader was disturbed") from error
    return person_years(data).iloc[:2000]
"""


class Gate:
    """The gate before the rows of a home's use case."""

    def __init__(self, home: Home) -> None:
        folder = home.folder / "use_cases" / home.use_case
        (folder / "loader.py").write_text(_GATED)
        self._gate, self._waits = folder / "gate", folder / "waits"

    def shut(self) -> None:
        self._gate.touch()

    def open(self) -> None:
        self._gate.unlink()

    def wait_for_a_run(self) -> None:
        """Until one waits at the gate."""
        self._waits.unlink(missing_ok=True)
        wait_for(self._waits.exists, "a run to come to the gate", 180)


#: A build stands still before its work for as long as there is a file.
_HELD = """\
import sys, time
from pathlib import Path

class Hold:
    def find_spec(self, name, path=None, target=None):
        while name == "bentoml" and "training.build" in sys.orig_argv and Path({held!r}).exists():
            time.sleep(0.01)

sys.meta_path.insert(0, Hold())
"""


def beginning_with(home: Home, code: str) -> Home:
    """The same home, whose commands run this code before the first line of ours."""
    folder = home.folder / "early"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(code)
    return Home(home.folder, home.use_case, {**home.extra, "PYTHONPATH": str(folder)})


def with_held_builds(home: Home) -> tuple[Home, Path]:
    """The same home, and a file: until it is removed no build goes on; it ends where its trainer does."""
    held = home.folder / "held"
    held.touch()
    return beginning_with(home, _HELD.format(held=str(held))), held


@contextmanager
def started(home: Home, *command: str, has_lifeline: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """A command of a home, killed at the end if it still runs. What it says is added to trainer.log."""
    with (home.folder / "trainer.log").open("ab") as output:
        process = subprocess.Popen(
            [BIN / "rebento", *command],
            cwd=home.folder,
            env=home.environment,
            stdin=subprocess.PIPE if has_lifeline else subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def log(home: Home) -> str:
    return (home.folder / "trainer.log").read_text()


@contextmanager
def stored(home: Home) -> Iterator[Database]:
    database = Database.open(home.database_url)
    try:
        yield database
    finally:
        database.close()


def ask(database: Database, *triggers: str) -> list[str]:
    """Requests, one after the other; their ids."""
    asked = []
    for trigger in triggers:
        at_ms = now_ms()
        with database.writing() as connection:
            run = request_run(connection, "small", trigger=trigger, reason="a test", at_ms=at_ms)
        asked.append(run.run_id)
        wait_for(lambda at_ms=at_ms: now_ms() > at_ms, "the next millisecond")
    return asked


def all_runs(database: Database) -> dict[str, Run]:
    with database.reading() as connection:
        return {run.run_id: run for run in runs(connection, "small")}


def state(database: Database, run_id: str) -> str:
    return all_runs(database)[run_id].state


def assert_nothing_is_half_done(database: Database) -> None:
    """Each version has its run that built it, one is in Production, each promotion has its version."""
    by_id = all_runs(database)
    with database.reading() as connection:
        listed = versions(connection, "small")
        asked = promotions(connection, "small")
        moved = history(connection, "small")
    for version in listed:
        made_by = by_id[version.run_id or ""]
        assert (made_by.state, made_by.bento) == ("built", version.tag)
    assert {run.bento for run in by_id.values() if run.state == "built"} == {one.tag for one in listed}
    assert [one.stage for one in listed].count("Production") <= 1
    assert {one.tag for one in asked} | {one.tag for one in moved} <= {one.tag for one in listed}


def store(home: Home) -> dict[str, set[str]]:
    """What is in the store, by kind and name."""
    places = (home.var / "bentoml" / kind for kind in ("bentos", "models"))
    folders = (folder for place in places for folder in place.iterdir() if folder.is_dir())
    return {
        f"{folder.parent.name}/{folder.name}": {one.name for one in folder.iterdir() if one.is_dir()}
        for folder in folders
    }


def builds(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The processes that put a Bento together for this one."""
    try:
        return beneath(process.pid, "training.build")
    except psutil.NoSuchProcess:
        return []


def set_policy(home: Home, **policy: object) -> None:
    path: Path = home.folder / "use_cases" / home.use_case / "use_case.yaml"
    said = ", ".join(f"{key}: {value}" for key, value in policy.items())
    head, _, _ = path.read_text().partition("policy:")
    path.write_text(f"{head}policy: {{feedbacks_per_training: 1000, {said}}}\n")
