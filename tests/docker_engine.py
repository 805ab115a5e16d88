"""A Docker engine for the tests that need one: the machine's own, else one started for the session."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: Starts an engine of our own where none runs; it lies beside the checkout on some machines.
RECIPE = ROOT.parent / "shared/recipes/engine.sh"
NOT_TESTED = (
    "NOT TESTED: the images, the stack of containers and `bentoml containerize`. No Docker engine answers "
    "here ({why}). Start one and run: make test-stack"
)
#: `if-possible`: without an engine these tests are skipped, loudly; else they fail.
WANTED = "REBENTO_TEST_ENGINE"

Environment = dict[str, str]


def docker(environment: Environment, *arguments: str) -> str:
    """What `docker` prints; a test fails where it does."""
    run = subprocess.run(["docker", *arguments], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, f"docker {arguments}\n{run.stdout}\n{run.stderr}"
    return run.stdout.strip()


@pytest.fixture(scope="session")
def engine() -> Iterator[Environment]:
    """The environment in which `docker` reaches an engine."""
    environment = dict(os.environ)
    if _answers(environment):
        yield environment
        return
    if not RECIPE.is_file():
        _not_tested("`docker version` fails, and there is no recipe to start one")
    # A short path: a socket's may have no more than 107 characters.
    scratch = Path(tempfile.mkdtemp(prefix="engine"))
    try:
        with (scratch / "out").open("wb") as out:  # a pipe would stay open as long as the engine runs
            started = subprocess.run(
                ["timeout", "900", "bash", str(RECIPE)],
                env={**environment, "W": str(scratch)},
                stdout=out,
                stderr=out,
            )
        if started.returncode != 0:
            last = (scratch / "out").read_text(errors="replace").strip().splitlines()[-1:]
            _not_tested(f"{RECIPE.name} ended with {started.returncode}: {last}")
        yield {
            **environment,
            "DOCKER_HOST": f"unix://{scratch}/dk/docker.sock",
            "DOCKER_CONFIG": f"{scratch}/dc",
            # Debian's client carries the BuildKit that bentoml asks for.
            "PATH": f"/usr/bin:{environment['PATH']}",
        }
    finally:
        _stop(scratch / "dk/pid")
        shutil.rmtree(scratch, ignore_errors=True)


def _answers(environment: Environment) -> bool:
    try:
        asked = subprocess.run(["docker", "version"], env=environment, capture_output=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def _not_tested(why: str) -> None:
    sentence = NOT_TESTED.format(why=why)
    if os.environ.get(WANTED) == "if-possible":
        pytest.skip(sentence)
    pytest.fail(sentence, pytrace=False)


def _stop(pid_file: Path) -> None:
    if not pid_file.is_file():
        return
    pid = int(pid_file.read_text())
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, f"the engine (process {pid}) did not end"
        time.sleep(0.1)
