"""Ports for the servers of tests that run side by side."""

from __future__ import annotations

import os
from collections import deque

from benchmarks import servers

#: Which of how many test processes this is.
_PLACE = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_PLACES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_GIVEN: deque[int] = deque(maxlen=5_000 // _PLACES)


def free_port() -> int:
    """A port that is free, and that no test is given for a while: servers bind theirs seconds later."""
    while True:
        port = servers.free_port()
        if port % _PLACES == _PLACE and port not in _GIVEN:
            _GIVEN.append(port)
            return port
