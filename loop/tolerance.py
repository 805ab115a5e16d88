"""Work that is done again and again, and must not end for good by a mistake of ours."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_SAY_EVERY_SECONDS = 60.0


class Tolerated:
    """Does each of `works` when called; what one of them raises is logged, and the next call does it again.

    For what others rely on although it could fail once: workers answer without their supervisor's next look,
    but end with their supervisor. What fails at each call is logged once a minute, with how often it failed
    meanwhile. `clock` gives monotonic seconds.
    """

    def __init__(
        self,
        what: str,
        log: logging.Logger,
        *works: Callable[[], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._log, self._works, self._clock = what, log, works, clock
        self._failures = 0
        self._say_again_at = float("-inf")

    def __call__(self) -> None:
        for work in self._works:
            try:
                work()
            except Exception:
                self._failures += 1
                if self._clock() < self._say_again_at:
                    continue
                self._log.exception("%s failed and will be repeated failures=%d", self._what, self._failures)
                self._failures, self._say_again_at = 0, self._clock() + _SAY_EVERY_SECONDS
