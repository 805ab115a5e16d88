"""Which runs of a workspace stay: Evidently's pages hold all of them in memory, 7 MB each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

WHOLE = 20
"""Newest runs that keep their pictures; without them a run takes a fifteenth of the memory."""
NUMBERS_OF_ALL = 100
"""Newest runs that keep at least their numbers, however close they lie."""
DAILY = 90
"""Days, back from the newest run, of which the last run's numbers stay; before them one a week."""

_DAY_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class RollUp:
    """Instants of runs, in ms, newest first: each is in one of the three."""

    whole: tuple[int, ...]
    numbers_only: tuple[int, ...]
    gone: tuple[int, ...]


def roll_up(instants_ms: Iterable[int]) -> RollUp:
    """What becomes of runs that stand at these instants (UTC ms): the fewer the older they are.

    >>> roll_up([3, 2, 1])
    RollUp(whole=(3, 2, 1), numbers_only=(), gone=())
    """
    newest_first = sorted(set(instants_ms), reverse=True)
    kept, gone = [], []
    seen: set[tuple[str, int]] = set()
    for place, at_ms in enumerate(newest_first):
        day = at_ms // _DAY_MS
        is_recent = newest_first[0] // _DAY_MS - day < DAILY
        period = ("day", day) if is_recent else ("week", day // 7)
        if place < WHOLE:
            continue
        if place < NUMBERS_OF_ALL or period not in seen:
            kept.append(at_ms)
        else:
            gone.append(at_ms)
        seen.add(period)
    return RollUp(tuple(newest_first[:WHOLE]), tuple(kept), tuple(gone))
