"""Whether a new Bento that has just begun to answer may stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from loop.shares import chance_of_at_least

MOST_CRASHES = 2
"""A worker may die once of something else (memory, an operator); the second crash is the Bento's."""

TOLERATED_SHARE = 0.01
"""Share of answers that may be errors of the server. Bad input is no error: it is answered 400."""

CONFIDENCE = 0.95

LEAST_ERRORS = 3
"""One error, or two, may be a caller's oddity."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The probation is over and the old Bento is to come back."""

    reason: str


def look(
    answers: int, errors: int, crashes: int, seconds: float, probation_seconds: float
) -> Literal["wait", "passed"] | Failed:
    """What the new workers' `answers`, of which `errors` with a 500, and crashes say after so many seconds.

    Fails as soon as errors are proven (95 %, exact binomial) to be more than one answer in a hundred, or at
    the second crash. No traffic at all is no failure: nobody was harmed.

    >>> look(1000, 0, 0, seconds=5, probation_seconds=60)
    'wait'
    >>> look(1000, 4, 1, seconds=60, probation_seconds=60)
    'passed'
    >>> look(40, 8, 0, seconds=5, probation_seconds=60).reason
    '8 of its 40 answers were errors of the server (500), more than 1 in 100'
    """
    if crashes >= MOST_CRASHES:
        return Failed(f"its workers crashed {crashes} times within {seconds:.0f} s")
    answers = max(answers, errors)  # two counters, read one after the other
    if errors >= LEAST_ERRORS and chance_of_at_least(errors, answers, TOLERATED_SHARE) < 1 - CONFIDENCE:
        return Failed(
            f"{errors:,} of its {answers:,} answers were errors of the server (500), "
            f"more than 1 in {1 / TOLERATED_SHARE:.0f}"
        )
    return "passed" if seconds >= probation_seconds else "wait"
