"""Whether this worker accepts connections, for whoever measures it.

Under plain `bentoml serve` nobody says otherwise: it does. One that is started in standby does not yet.
"""

from __future__ import annotations

import os
from collections.abc import Callable

_accepts = os.environ.get("WORKER_STARTS") != "standby"
_listeners: list[Callable[[bool], None]] = []


def hear(listener: Callable[[bool], None]) -> None:
    """Tells `listener` now, and whenever it changes."""
    _listeners.append(listener)
    listener(_accepts)


def say(accepts: bool) -> None:
    """Tells whoever listens, where that is new."""
    global _accepts
    if accepts != _accepts:
        _accepts = accepts
        for listener in _listeners:
            listener(accepts)
