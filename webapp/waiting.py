"""The runs that wait for the trainer, and what each waits for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from loop.triggers import PERSON
from storage.runs import Run

Cause = Literal[
    "trainer",  # none is there
    "running",  # another run is at work
    "paused",
    "promotion",  # the next run is judged against what it brings
    "rest",  # the cool-down
    "soon",  # nothing stands against it
    "turn",  # others come first
    "newer",  # a newer request sees its rows, too, and ends it
]


@dataclass(frozen=True, slots=True)
class Waiting:
    """One run in the queue."""

    run: Run
    cause: Cause
    until_ms: int | None = None
    """When the rest is over."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What decides whether a run may start: see `loop.triggers.may_start`."""

    has_trainer: bool
    is_running: bool
    is_paused: bool
    is_changing: bool
    """Another champion is about to answer."""
    last_ended_at_ms: int | None
    cooldown_minutes: float
    now_ms: int


def queue(waiting: Sequence[Run], around: Circumstances) -> tuple[Waiting, ...]:
    """The runs, in the order in which the trainer takes them; `waiting` is the oldest first.

    What a person asked for comes first, the oldest of it; of the others only the newest is done.
    """
    asked = [run for run in waiting if run.trigger == PERSON]
    others = [run for run in reversed(waiting) if run.trigger != PERSON]
    shown = []
    for place, run in enumerate([*asked, *others]):
        if place == 0:
            shown.append(_first(run, around))
        elif run.trigger == PERSON or run is others[0]:
            shown.append(Waiting(run, "turn"))
        else:
            shown.append(Waiting(run, "newer"))
    return tuple(shown)


def _first(run: Run, around: Circumstances) -> Waiting:
    is_automatic = run.trigger != PERSON
    ended_at_ms = around.last_ended_at_ms
    rested_at_ms = 0 if ended_at_ms is None else ended_at_ms + int(around.cooldown_minutes * 60_000)
    if not around.has_trainer:
        return Waiting(run, "trainer")
    if around.is_running:
        return Waiting(run, "running")
    if is_automatic and around.is_paused:
        return Waiting(run, "paused")
    if is_automatic and around.now_ms < rested_at_ms:
        return Waiting(run, "rest", rested_at_ms)
    if around.is_changing:
        return Waiting(run, "promotion")
    return Waiting(run, "soon")
