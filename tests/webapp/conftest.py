"""The pages, really served on a port of their own; with a real service where predictions are needed."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from storage.database import Database
from tests.databases import migrated
from tests.homes import Home, Server, free_port, wait_for
from tests.journeys.conftest import server as server
from use_cases.use_case import SHIPPED, read_use_case
from webapp.application import create
from webapp.plan import Plan


class Pages(httpx.Client):
    """A browser without scripts: keeps cookies, sends a form with the hidden token of a page."""

    def token(self, path: str = "/settings") -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(path).text)
        assert found is not None, f"{path} has no form"
        return found.group(1)

    def submit(self, path: str, **values: str) -> httpx.Response:
        """POSTs a form; redirects are not followed."""
        return self.post(path, data={"csrf": self.token(), **values})


@contextmanager
def served(plan: Plan) -> Iterator[Pages]:
    """A browser of pages that are served in a thread."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        # Longer than httpx keeps an idle connection: it must never send on one that is just being closed.
        config = uvicorn.Config(create(plan), log_level="warning", lifespan="on", timeout_keep_alive=75)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            wait_for(lambda: server.started or not thread.is_alive(), "the pages to be served")
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with Pages(base_url=address, trust_env=False, timeout=30) as pages:
                yield pages
        finally:
            server.should_exit = True
            thread.join(60)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """An installation in which nothing was trained yet, and no service runs."""
    return Plan(
        use_case="doctor_visits",
        read_use_case=lambda: read_use_case("doctor_visits", [SHIPPED]),
        home=tmp_path / "home",
        database_url=f"sqlite:///{tmp_path / 'home' / 'rebento.sqlite'}",
        api_url=f"http://127.0.0.1:{free_port()}",
    )


@pytest.fixture
def database(plan: Plan) -> Iterator[Database]:
    """The plan's database, with its tables."""
    with migrated(plan.database_url) as opened:
        yield opened


@pytest.fixture
def opened(plan: Plan) -> Iterator[Callable[..., Pages]]:
    """Opens the pages of the plan, or of one that differs in the values given."""
    with ExitStack() as stack:

        def open_pages(**differences: Any) -> Pages:
            return stack.enter_context(served(replace(plan, **differences)))

        yield open_pages


def plan_of(server: Server, **more: Any) -> Plan:
    """The pages' plan beside a running service."""
    return replace(plan_of_home(server.home, server.base), **more)


def plan_of_home(home: Home, api_url: str) -> Plan:
    """The pages' plan of an installation whose service is at this address, or will be."""
    return Plan(
        use_case=home.use_case,
        read_use_case=lambda: read_use_case(home.use_case, [home.folder / "use_cases", SHIPPED]),
        home=home.var,
        database_url=home.database_url,
        api_url=api_url,
    )


@pytest.fixture
def pages(server: Server) -> Iterator[Pages]:
    """The pages of a running service."""
    with served(plan_of(server)) as browser:
        yield browser
