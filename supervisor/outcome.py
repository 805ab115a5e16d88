"""What became of a promotion that a person asked for."""

from __future__ import annotations

import time
from collections.abc import Callable

from loop.refusals import Refusal
from storage.database import Database
from storage.processes import alive
from storage.promotions import Promotion, promotions

_POLL_SECONDS = 0.2
#: Longer than workers may take to load and an old fleet to come back.
_LONGEST_WAIT_SECONDS = 180.0


class PromotionFailed(Refusal):
    """A promotion that did not take place; the text says why."""


def outcome(
    database: Database,
    asked: Promotion,
    clock: Callable[[], int],
    *,
    seconds: float = _LONGEST_WAIT_SECONDS,
) -> Promotion:
    """The promotion once its version answers: on probation, or done.

    Raises PromotionFailed where it failed, was withdrawn, or nobody took it up in so many seconds. `clock`
    gives milliseconds UTC.
    """
    deadline = time.monotonic() + seconds
    while True:
        with database.reading() as connection:
            found = next(
                one
                for one in promotions(connection, asked.use_case)
                if one.promotion_id == asked.promotion_id
            )
            supervisor = alive(connection, asked.use_case, "supervisor", at_ms=clock())
        if found.state in ("probation", "done"):
            return found
        if found.state == "failed":
            raise PromotionFailed(
                f"{asked.tag} was not promoted: {found.error}; the version before it goes on answering"
            )
        if found.state == "withdrawn":
            raise PromotionFailed(
                f"{asked.tag} was not promoted: a later request took its place; see `rebento versions`"
            )
        if supervisor is None:
            raise PromotionFailed(
                f"{asked.tag} is not promoted yet: `rebento up` has not been heard of for a while; it takes "
                "this up when it starts again, or can write the database again"
            )
        if time.monotonic() > deadline:
            raise PromotionFailed(
                f"{asked.tag} is not promoted yet after {seconds:.0f} s (it is {found.state}); "
                "see `rebento versions` and what `rebento up` says"
            )
        time.sleep(_POLL_SECONDS)
