"""Real supervisors, of Bentos as small as can be."""

from __future__ import annotations

import copy
import http.client
import json
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from loop.clock import now_ms
from storage.database import Database
from storage.promotions import Kind, Promotion, promotions, request_promotion
from storage.versions import Version, add_version, champion, change_stage
from tests.homes import ROOT, free_port, wait_for
from tests.storage.postgres import server


@dataclass
class SmallHome:
    """A folder with Bentos `small:a`, `small:b`, … of which `small:a` is in Production."""

    folder: Path
    port: int
    database_url: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    """Of every supervisor of it, see small_supervisor.py."""

    def __post_init__(self) -> None:
        self.database_url = self.database_url or f"sqlite:///{self.folder / 'rebento.sqlite'}"
        self.database = Database.open(self.database_url)
        self.database.migrate()
        for name in "abc":
            self.add(name)
        with self.database.writing() as connection:
            change_stage(connection, "small:a", "Production", actor="test", reason="first", at_ms=now_ms())

    def add(self, name: str) -> None:
        code = self.folder / "bentos" / f"small-{name}" / "runner"
        code.mkdir(parents=True)
        (code / "__init__.py").touch()
        shutil.copy(Path(__file__).parent / "small_worker.py", code / "worker.py")
        (code / "behaviour.json").write_text("{}")
        version = Version(
            tag=f"small:{name}",
            use_case="small",
            model_tag=f"small:{name}",
            stage="None",
            created_at_ms=now_ms(),
            run_id=None,
            parent=None,
            data_digest="",
            candidate="sgd",
            scores_json="{}",
            as_of=None,
        )
        with self.database.writing() as connection:
            add_version(connection, version)

    def host(self, name: str, **options: Any) -> SmallHome:
        """Another machine that shares the database, with a copy of the Bentos, and a port of its own."""
        other = copy.copy(self)
        other.folder = self.folder / name
        shutil.copytree(self.folder / "bentos", other.folder / "bentos")
        other.port = free_port()
        other.options = {"machine": name, **options}
        return other

    def behave(self, name: str, **how: Any) -> None:
        """What workers of a Bento do from now on; see small_worker.py."""
        file = self.folder / "bentos" / f"small-{name}" / "runner" / "behaviour.json"
        new = file.with_suffix(".new")
        new.write_text(json.dumps(how))
        new.replace(file)

    def request(self, name: str, kind: Kind = "promotion", actor: str = "person") -> Promotion:
        with self.database.writing() as connection:
            return request_promotion(
                connection, "small", f"small:{name}", kind=kind, actor=actor, reason="test", at_ms=now_ms()
            )

    def promotion(self, asked: Promotion) -> Promotion:
        with self.database.reading() as connection:
            return next(p for p in promotions(connection, "small") if p.promotion_id == asked.promotion_id)

    def state(self, asked: Promotion) -> str:
        return self.promotion(asked).state

    def wait(self, asked: Promotion, *states: str) -> Promotion:
        """The promotion once it is in one of these states; it may not have ended in another."""
        expected = {*states, "done", "failed", "withdrawn"}
        found = self.promotion(asked)

        def is_there() -> bool:
            nonlocal found
            found = self.promotion(asked)
            return found.state in expected

        wait_for(is_there, f"{asked.tag} to be {states}")
        assert found.state in states, found
        return found

    def wait_for_handover(self, asked: Promotion) -> None:
        """Until the old workers were told to stand by; the promotion is on probation a moment before."""
        line = f"promotion {asked.promotion_id} of {asked.tag}: probation"
        wait_for(lambda: line in self.log.read_text(), "the old ones to be told to stand by")

    def wait_until_noted(self, process: psutil.Popen) -> None:
        """Until a supervisor without children has noted all its workers for the one that comes after it."""

        def are_noted() -> bool:
            noted = json.loads((self.folder / "supervisor.json").read_text())["workers"]
            return {str(worker.pid) for worker in process.children()} == noted.keys()

        wait_for(are_noted, "its workers to be noted")

    @property
    def champion(self) -> str | None:
        with self.database.reading() as connection:
            found = champion(connection, "small")
        return None if found is None else found.tag

    def ask(self) -> tuple[int, str, int]:
        """One request on a connection of its own: status, and the Bento and process that answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/")
            response = connection.getresponse()
            said = json.loads(response.read())
        finally:
            connection.close()
        return response.status, said["bento"], said["pid"]

    def answers(self) -> str:
        return self.ask()[1]

    def command(self, **options: Any) -> list[str]:
        given = {
            "home": str(self.folder),
            "local": "",
            "machine": "one",
            "silence_seconds": 15,
            "database_url": self.database_url,
            "port": self.port,
            "workers": 2,
            "probation_seconds": 60,
            "orphan_seconds": 20,
            "ready_seconds": 60,
            "children": {},
            **self.options,
            **options,
        }
        return [sys.executable, "-m", "tests.supervisor.small_supervisor", json.dumps(given)]

    @property
    def log(self) -> Path:
        return self.folder / "supervisor.log"

    @contextmanager
    def supervised(self, **options: Any) -> Iterator[psutil.Popen]:
        """A supervisor that answers. At the end it is told to leave, and all it started has left."""
        self.log.unlink(missing_ok=True)
        with self.log.open("ab") as output:
            process = psutil.Popen(self.command(**options), cwd=ROOT, stdout=output, stderr=output)
        try:
            wait_for(lambda: self._is_up(process), "the supervisor to answer")
            yield process
        except BaseException:
            print(f"{self.log} of port {self.port}:\n{self.log.read_text()}")
            raise
        finally:
            started = process.children(recursive=True) if process.is_running() else []
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            late = psutil.wait_procs([process, *started], timeout=40)[1]
            for one in late:
                one.kill()
            assert not late, self.log.read_text()

    def _is_up(self, process: psutil.Popen) -> bool:
        assert process.poll() is None, self.log.read_text()
        if "answers at" not in self.log.read_text():
            return False
        try:
            return bool(self.ask())
        except OSError:
            return False

    def workers(self, process: psutil.Popen, name: str) -> list[psutil.Process]:
        """The processes of a Bento."""
        found = []
        for child in process.children():
            try:
                if f"small:{name}" in child.cmdline():
                    found.append(child)
            except psutil.NoSuchProcess:  # it has just ended
                continue
        return found


@pytest.fixture
def home_on_postgresql(tmp_path: Path) -> Iterator[SmallHome]:
    with server() as url:
        made = SmallHome(tmp_path, free_port(), url)
        yield made
        made.database.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[SmallHome]:
    made = SmallHome(tmp_path, free_port())
    yield made
    made.database.close()
