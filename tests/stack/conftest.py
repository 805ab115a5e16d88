"""The stack, built and started once."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from tests.docker_engine import NOT_TESTED, Environment, docker
from tests.homes import free_port
from tests.stack.stack import Stack

_PORTS = ("API_PORT", "WEB_PORT", "REPORTING_PORT", "PROMETHEUS_PORT")


@pytest.fixture(scope="session")
def built(engine: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All images of the stack. One after the other: the second finds the first one's layers."""
    stack = Stack(
        f"rebento-test-{os.getpid()}",
        tmp_path_factory.mktemp("stack"),
        engine,
        {name: free_port() for name in _PORTS},
    )
    stack.write()
    for service in ("serving-api", "trainer", "postgres", "prometheus"):
        began = time.monotonic()
        stack.compose("build", service, seconds=1500)
        print(f"the image of {service} was built in {time.monotonic() - began:.0f} s")
    yield stack


@pytest.fixture(scope="session")
def stack(built: Stack, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Every container healthy."""
    try:
        began = time.monotonic()
        built.compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", "600")
        print(f"every container was healthy after {time.monotonic() - began:.0f} s")
        yield built
    finally:
        if request.session.testsfailed:
            print(built.logs())
        built.compose("down", "--volumes", "--timeout", "120")


def size(stack: Stack, service: str) -> int:
    """Bytes of the image that a service runs."""
    image = stack.inspect(service)["Image"]
    return int(docker(stack.engine, "image", "inspect", "--format", "{{.Size}}", image))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A banner where nothing of this was tested: a line among a thousand dots would not be read."""
    reports = [
        *terminalreporter.stats.get("skipped", []),
        *terminalreporter.stats.get("error", []),
        *terminalreporter.stats.get("failed", []),
    ]
    if any(NOT_TESTED[:20] in str(report.longrepr) for report in reports):
        for line in ("=", NOT_TESTED.format(why="the report says why"), "="):
            terminalreporter.write_line(line * 110 if line == "=" else line, red=True, bold=True)
