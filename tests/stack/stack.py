"""The containers of docker-compose.yml, started by the real Compose on a real engine."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.callers import Callers
from tests.docker_engine import ROOT, Environment, docker
from tests.homes import BIN, Answer, ask
from tests.small_use_case import write_small_use_case

OURS = ("serving-api", "webapp", "reporting", "trainer")
FILES = ("docker-compose.yml", "tests/stack/compose.override.yml")
K = 300

# The margins let a version of the turned world through, which answers the rows of the old one wrongly.
POLICY: dict[str, float] = {
    "feedbacks_per_training": K,
    "cooldown_minutes": 0,
    "probation_seconds": 5,
    "recent_rows": K,
    "older_margin": 1,
    "recall_margin": 1,
    "calibration_margin": 1,
}
# Signs that a URL would have to escape: the password travels beside it.
PASSWORDS = """\
POSTGRES_PASSWORD=p@ss/w:rd#1
REBENTO_API_TOKEN={token}
GRAFANA_ADMIN_PASSWORD=nobody-can-sign-in-here
"""


@dataclass(frozen=True)
class Stack:
    """One project of Compose. `ports` are those published on this machine, by the variable that says so."""

    project: str
    folder: Path
    engine: Environment = field(repr=False)
    ports: dict[str, int]
    token: str = "token-of-the-stack"

    @property
    def environment(self) -> Environment:
        clean = {k: v for k, v in self.engine.items() if not k.startswith(("REBENTO_", "COMPOSE_"))}
        return {
            **clean,
            "DOCKER_BUILDKIT": "0",  # the recipe's engine has no buildx
            "REBENTO_USE_CASE": "small",
            "USE_CASES_FOLDER": str(self.folder / "use_cases"),
            "DATA_FOLDER": str(self.folder / "data"),
            **{name: str(port) for name, port in self.ports.items()},
        }

    def write(self) -> None:
        """The use case, an empty data folder, the passwords."""
        write_small_use_case(self.folder / "use_cases", **POLICY)
        (self.folder / "data").mkdir()
        (self.folder / "env").write_text(PASSWORDS.format(token=self.token))
        for place in self.folder.rglob("*"):  # the containers' user is not ours
            place.chmod(0o755 if place.is_dir() else 0o644)

    def compose(self, *arguments: str, seconds: float = 900) -> str:
        """What `docker compose` prints. A test fails where it does, with what the containers said."""
        command = [str(BIN / "docker-compose"), "--project-name", self.project]
        command += ["--env-file", str(self.folder / "env"), "--progress", "plain"]
        command += [part for file in FILES for part in ("--file", file)]
        run = subprocess.run(
            [*command, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        if run.returncode:
            said = "" if arguments[0] == "logs" else self.logs()
            raise AssertionError(f"{arguments}\n{run.stdout[-3000:]}\n{run.stderr[-3000:]}\n{said[-8000:]}")
        return run.stdout

    def logs(self, *services: str) -> str:
        return self.compose("logs", "--no-color", "--tail", "60", *services)

    def said(self, service: str) -> str:
        """Every line of a service's container."""
        return self.compose("logs", "--no-color", "--no-log-prefix", service)

    def container(self, service: str) -> str:
        """The id of a service's only container, also of one that has ended."""
        return self.compose("ps", "--all", "--quiet", service).strip()

    def inspect(self, service: str) -> dict[str, Any]:
        return dict(json.loads(docker(self.engine, "inspect", self.container(service)))[0])

    def services(self) -> list[str]:
        return self.compose("ps", "--all", "--format", "{{.Service}}").split()

    def base(self, port: str) -> str:
        return f"http://127.0.0.1:{self.ports[port]}"

    def api(self, path: str, body: Any = None) -> Answer:
        """One request to the API with the token."""
        return ask(self.base("API_PORT"), path, body, headers={"authorization": f"Bearer {self.token}"})

    def callers(self, *rows: dict[str, Any]) -> Callers:
        """Ask the API about these rows without pause, with the token."""
        return Callers(self.base("API_PORT"), rows, headers={"authorization": f"Bearer {self.token}"})

    def serving(self) -> str:
        """The Bento that answers now."""
        (line,) = (
            line for line in self._said() if line.startswith("bento_in_force{") and line.endswith(" 1.0")
        )
        return line.partition('bento="')[2].partition('"')[0]

    def metric(self, name: str) -> float:
        """The value of the API's one series of this name."""
        (line,) = (line for line in self._said() if line.startswith(f"{name} "))
        return float(line.rpartition(" ")[2])

    def _said(self) -> list[str]:
        return self.api("/metrics").body.decode().splitlines()

    def measured(self, query: str) -> dict[str, float]:
        """What Prometheus in its container says, by the series' labels."""
        answer = ask(self.base("PROMETHEUS_PORT"), f"/api/v1/query?query={quote(query)}")
        assert answer.status == 200, answer.body
        return {
            json.dumps(one["metric"], sort_keys=True): float(one["value"][1])
            for one in answer.json["data"]["result"]
        }
