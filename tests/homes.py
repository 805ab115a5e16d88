"""Real installations, and real servers of them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.databases import copied_database
from tests.ports import free_port as free_port
from tests.processes import beneath

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
#: Callers wait in the queue of a socket while workers load.
_ANSWER_SECONDS = 90
#: They take two seconds: longer than a process of a busy machine stands still.
_STILL_LOOKS = 12


@dataclass(frozen=True)
class Home:
    """One installation's folders and the environment that names them."""

    folder: Path
    use_case: str = "small"
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def var(self) -> Path:
        return self.folder / "var"

    @property
    def environment(self) -> dict[str, str]:
        clean = {
            k: v for k, v in os.environ.items() if not k.startswith(("REBENTO_", "BENTOML", "PROMETHEUS"))
        }
        return {
            **clean,
            "REBENTO_HOME": str(self.var),
            "REBENTO_USE_CASES": str(self.folder / "use_cases"),
            "REBENTO_USE_CASE": self.use_case,
            "BENTOML_HOME": str(self.var / "bentoml"),
            "BENTOML_DO_NOT_TRACK": "True",
            **self.extra,
        }

    @property
    def database_url(self) -> str:
        return self.extra.get("REBENTO_DATABASE_URL", f"sqlite:///{self.var / 'rebento.sqlite'}")

    def tags(self) -> list[str]:
        """Tags of the Bentos in the store, oldest first."""
        folders = (self.var / "bentoml" / "bentos" / self.use_case).glob("*/")
        return [f"{self.use_case}:{f.name}" for f in sorted(folders, key=lambda f: f.stat().st_mtime_ns)]

    def rebento(self, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs the real command in this home's folder."""
        run = subprocess.run(
            [BIN / "rebento", *arguments],
            cwd=self.folder,
            # Two tests side by side may each start a service.
            env={
                "REBENTO_API_PORT": str(free_port()),
                "REBENTO_WEB_PORT": str(free_port()),
                "REBENTO_REPORTING_PORT": str(free_port()),
                **self.environment,
            },
            capture_output=True,
            text=True,
            timeout=280,
        )
        if check:
            assert run.returncode == 0, f"{arguments}\n{run.stdout}\n{run.stderr}"
        return run

    def copy(self, folder: Path, **extra: str) -> Home:
        """Another installation that holds the same. Nothing of this one may be running."""
        shutil.copytree(
            self.folder, folder, dirs_exist_ok=True, symlinks=True, copy_function=_copied_unless_gone
        )
        url = self.extra.get("REBENTO_DATABASE_URL")
        if url is not None:
            extra.setdefault("REBENTO_DATABASE_URL", copied_database(url))
        return Home(folder, self.use_case, {**self.extra, **extra})


def _copied_unless_gone(source: str, target: str) -> None:
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        # SQLite's own, beside a database that another test process has just read.
        if not source.endswith(("-wal", "-shm")):
            raise


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    base: str,
    path: str,
    body: Any = None,
    *,
    method: str | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """One request on a connection of its own. `body` is sent as JSON, bytes as they are."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"content-type": "application/json", **(headers or {})}
    request = urllib.request.Request(base + path, data, sent, method=method)
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as response:
            return Answer(response.status, dict(response.headers), response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())


@dataclass(frozen=True)
class Server:
    """A running server of a home."""

    base: str
    process: subprocess.Popen[bytes]
    home: Home
    log: Path

    def call(
        self, path: str, body: Any = None, *, method: str | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """One request on a connection of its own. `body` is sent as JSON, bytes as they are."""
        return ask(self.base, path, body, method=method, headers=headers)

    def predict(self, *rows: dict[str, Any]) -> list[dict[str, Any]]:
        answer = self.call("/predict", {"rows": list(rows)})
        assert answer.status == 200, answer.body
        return list(answer.json["predictions"])

    def metric(self, line: str) -> float:
        """The value of the one series that is named exactly so; 0 where there is none."""
        answer = self.call("/metrics")
        assert answer.status == 200, answer.body
        for text in answer.body.decode().splitlines():
            name, _, value = text.rpartition(" ")
            if name == line:
                return float(value)
        return 0.0

    def settled_metric(self, line: str) -> float:
        """As `metric`, once it stands still: on a busy machine a worker counts a moment late."""
        values = [self.metric(line)]
        while len(values) < _STILL_LOOKS or len(set(values[-_STILL_LOOKS:])) > 1:
            time.sleep(0.1)
            values.append(self.metric(line))
        return values[-1]

    def workers(self) -> list[int]:
        """Process ids of the API's workers."""
        return [one.pid for one in beneath(self.process.pid, "runner.worker", recursive=True)]


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 100) -> None:
    deadline = time.monotonic() + seconds
    while True:
        is_last = time.monotonic() > deadline  # before the look: this process may stand still after it
        if condition():
            return
        assert not is_last, f"waited in vain for {what}"
        time.sleep(0.02)


@contextmanager
def serving(home: Home, command: list[str], port: int) -> Iterator[Server]:
    """Starts a server and waits until it is ready; ends it as Ctrl-C's supervisor would."""
    log = home.folder / f"server-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=home.folder,
            env={
                **home.environment,
                "REBENTO_API_PORT": str(port),
                "REBENTO_WEB_PORT": home.extra.get("REBENTO_WEB_PORT", str(free_port())),
                "REBENTO_REPORTING_PORT": home.extra.get("REBENTO_REPORTING_PORT", str(free_port())),
            },
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = Server(f"http://127.0.0.1:{port}", process, home, log)

    def is_ready() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return server.call("/readyz").status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    try:
        wait_for(is_ready, f"{command} to be ready", 120)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise


def up(home: Home, workers: int = 1) -> Any:
    """`rebento up` of a home, as a context that gives the Server."""
    home = Home(home.folder, home.use_case, {**home.extra, "REBENTO_WORKERS": str(workers)})
    return serving(home, [str(BIN / "rebento"), "up"], free_port())


def bentoml_serve(home: Home, tag: str) -> Any:
    """Plain `bentoml serve TAG`, as a context that gives the Server."""
    port = free_port()
    return serving(home, [str(BIN / "bentoml"), "serve", tag, "--port", str(port)], port)
