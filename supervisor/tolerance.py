"""Work that is done again and again, and must not end the service by a mistake of ours."""

from __future__ import annotations

import logging
from collections.abc import Callable

log = logging.getLogger("rebento.supervisor")

_SAY_EVERY_SECONDS = 60.0


class Tolerated:
    """Calls each of `looks` with the monotonic seconds; what one raises is logged and ends nothing.

    The workers answer without their supervisor's next look, and end with the supervisor. What goes wrong at
    each look is logged once a minute, with how often it went wrong meanwhile.
    """

    def __init__(self, *looks: Callable[[float], object]) -> None:
        self._looks = looks
        self._failures = 0
        self._say_again_at = float("-inf")

    def __call__(self, now: float) -> None:
        for look in self._looks:
            try:
                look(now)
            except Exception:
                self._failures += 1
                if now < self._say_again_at:
                    continue
                log.exception("a look at the workers failed and is repeated failures=%d", self._failures)
                self._failures, self._say_again_at = 0, now + _SAY_EVERY_SECONDS
