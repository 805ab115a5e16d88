"""`rebento serve`: containers or machines that serve one use case, out of one database and one store."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
import urllib.error
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from storage.database import Database
from storage.leaders import leader
from storage.promotions import promotions
from tests.databases import only_on_sqlite
from tests.homes import BIN, Answer, Home, Server, ask, free_port, serving, wait_for
from tests.journeys.test_survival import called
from tests.journeys.trainers import set_policy
from tests.storage.postgres import server as postgresql

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
Row = dict[str, Any]

#: What the serving image does not hold.
NOT_THERE = (
    *("training", "reporting", "webapp", "files", "evidently", "pandas", "pyarrow", "sklearn", "scipy"),
    *("skl2onnx", "skops", "statsmodels", "jinja2", "babel", "itsdangerous", "httpx"),
)
WITHOUT = """
import sys
from importlib.abc import MetaPathFinder

class Without(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in NAMES:
            raise ModuleNotFoundError(f"the serving image has no {name}", name=name)

NAMES = set(sys.argv.pop(1).split(","))
sys.meta_path.insert(0, Without())
sys.argv[0] = "rebento"
from cli import main
main()
"""


def host(home: Home, name: str, **settings: str) -> Home:
    """A machine that shares the home's folder; what is its own alone lies in a folder named for it."""
    own = home.folder / f"local-{name}"
    return Home(home.folder, home.use_case, {**home.extra, "REBENTO_LOCAL": str(own), **settings})


def serve(home: Home) -> Any:
    return serving(home, [str(BIN / "rebento"), "serve"], free_port())


def champion_of(server: Server, row: Row) -> str:
    return str(server.call("/predict", {"rows": [row]}).json["bento"])


def executed(database: Database) -> list[tuple[str, str, str]]:
    """Kind, tag and state of every promotion, oldest first."""
    with database.reading() as connection:
        return [(one.kind, one.tag, one.state) for one in reversed(promotions(connection, "small"))]


def infos(server: Server) -> dict[str, float]:
    """bento_info by the Bento's tag."""
    found = {}
    for line in server.call("/metrics").body.decode().splitlines():
        if line.startswith("bento_info{"):
            found[line.split('"')[1]] = float(line.rpartition(" ")[2])
    return found


@contextmanager
def started(home: Home, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`rebento serve`, which may have nothing to serve yet."""
    with (home.folder / f"serve-{port}.log").open("wb") as output:
        process = subprocess.Popen(
            [BIN / "rebento", "serve"],
            cwd=home.folder,
            env={**home.environment, "REBENTO_API_PORT": str(port)},
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(60) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def test_it_needs_nothing_that_trains_reports_or_shows_pages(trained: Home, row: Row, tmp_path: Path) -> None:
    home = trained.copy(tmp_path)
    command = [sys.executable, "-c", WITHOUT, ",".join(NOT_THERE), "serve"]
    said = subprocess.run(
        [*command, "--help"], env=home.environment, capture_output=True, text=True, timeout=60
    )
    assert said.returncode == 0 and "Serve the Bento in Production and nothing else" in said.stdout, (
        said.stderr
    )
    with serving(home, command, free_port()) as server:
        assert server.predict(row)
        children = psutil.Process(server.process.pid).children()
        assert [child.pid for child in children] == server.workers(), "it starts workers and nothing else"
        wait_for(lambda: server.metric("supervisor_leads") == 1, "what the supervisor measures")
        assert server.metric("bento_lags") == 0


def test_it_waits_for_the_first_version_and_drops_nobody_when_that_comes(
    trained: Home, row: Row, tmp_path: Path
) -> None:
    empty = Home(tmp_path)
    trained_cases = trained.folder / "use_cases"
    subprocess.run(["cp", "-r", trained_cases, tmp_path / "use_cases"], check=True)
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    log = tmp_path / f"serve-{port}.log"
    answers: list[tuple[float, Answer]] = []
    """Each with when its call began."""
    broken: list[Exception] = []
    stop = threading.Event()

    def call() -> None:
        while not stop.is_set():
            began = time.monotonic()
            try:
                answers.append((began, ask(base, "/predict", {"rows": [row]})))
            except Exception as error:
                broken.append(error)

    with started(empty, port) as process:

        def lives() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                return ask(base, "/livez").status == 200
            except urllib.error.URLError:
                return False

        wait_for(lives, "it to wait")
        assert ask(base, "/readyz").status == 503
        callers = [threading.Thread(target=call) for _ in range(3)]
        for caller in callers:
            caller.start()
        try:
            assert "Nothing" not in empty.rebento("train").stdout
            wait_for(lambda: ask(base, "/readyz").status == 200, "it to serve")
            ready = time.monotonic()

            def later() -> list[int]:
                return [answer.status for began, answer in list(answers) if began > ready]

            wait_for(lambda: len(later()) > 30, "answers to calls that began once it was ready")
        finally:
            stop.set()
            for caller in callers:
                caller.join()
    assert not broken
    assert set(later()) == {200}
    declined = next(answer for _, answer in answers if answer.status != 200)
    assert declined.status == 503
    assert {answer.status for _, answer in answers} == {200, 503}
    assert declined.headers["retry-after"] == "5"
    assert declined.json == {
        "error": "nothing of small is in Production yet; `rebento train` makes a first version",
        "detail": [],
        "missing_features": [],
    }
    assert log.read_text().count("Waiting for it.") == 1


def test_one_that_waits_leaves_when_told(tmp_path: Path) -> None:
    port = free_port()
    with started(Home(tmp_path, use_case="doctor_visits"), port):
        wait_for(lambda: "Waiting" in (tmp_path / f"serve-{port}.log").read_text(), "it to wait")


# It moves to a PostgreSQL of its own.
@only_on_sqlite
def test_hosts_that_share_a_store_swap_together_and_survive_the_one_that_leads(
    two: Home, row: Row, tmp_path: Path
) -> None:
    with postgresql() as url, closing(Database.open(url)) as database:
        home = _moved_to(two, url, tmp_path)
        set_policy(home, probation_seconds=600)  # it outlasts this test
        a, b = home.tags()

        def leads() -> str:
            with database.reading() as connection:
                found = leader(connection, "small")
            return "" if found is None else found.machine

        first, second = host(home, "first"), host(home, "second", REBENTO_WORKERS="2")
        with ExitStack() as hosts:
            killed = hosts.enter_context(serve(first))
            led = leads()
            other = hosts.enter_context(serve(second))
            assert leads() == led, "the second follows"
            with called(other, row) as also:
                with called(killed, row) as statuses:
                    home.rebento("promote", b)
                    wait_for(
                        lambda: {champion_of(killed, row), champion_of(other, row)} == {b},
                        "the new Bento on both",
                    )
                    count = len(statuses), len(also)
                    wait_for(
                        lambda: len(statuses) > count[0] + 20 and len(also) > count[1] + 20, "calls to both"
                    )
                assert set(statuses) == {200}
                for server in (killed, other):
                    wait_for(
                        lambda server=server: infos(server) == {a: 0.0, b: 1.0},  # type: ignore[misc]
                        "the old workers to say that they only stand by",
                    )
                # In the middle of the probation.
                assert executed(database) == [("promotion", b, "probation")]
                left = psutil.Process(killed.process.pid).children()
                killed.process.kill()
                killed.process.wait()
                wait_for(lambda: leads() not in ("", led), "the other host to lead")
                wait_for(lambda: executed(database) == [("promotion", b, "done")], "it to settle")
                home.rebento("rollback")
                wait_for(lambda: champion_of(other, row) == a, "the rollback")
            assert set(also) == {200}
            back = hosts.enter_context(serve(first))
            assert champion_of(back, row) == a
            assert leads() not in ("", led), "the one that comes back follows"
            psutil.wait_procs(left, timeout=100)
        assert leads() != led
        assert [one[:2] for one in executed(database)] == [("promotion", b), ("rollback", a)]
        assert all(state == "done" for *_, state in executed(database))


def _moved_to(home: Home, url: str, folder: Path) -> Home:
    """The same installation with its tables in PostgreSQL, by a backup and its restore."""
    kept = folder / "backup.tar"
    home.rebento("backup", kept)
    moved = Home(folder / "moved", home.use_case, {**home.extra, "REBENTO_DATABASE_URL": url})
    moved.folder.mkdir()
    moved.rebento("restore", kept)
    return moved
