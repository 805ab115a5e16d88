"""What is known of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict, get_args

from loop.refusals import Refusal

State = Literal[
    "requested",  # waits for a trainer
    "running",  # a trainer has claimed it
    "built",  # it ended with a Bento; the verdict says what became of that
    "failed",  # it ended without one; `error` says why
    "superseded",  # a run asked for later saw its rows too; it never started
]


Mode = Literal["fresh", "recent", "weighted", "fine_tuned"]
"""A way to make a challenger; what each is: `training.recipe.KINDS`."""

MODES: tuple[Mode, ...] = get_args(Mode)


class ModeRefused(Refusal):
    """A challenger of a kind that there is not."""


def mode_of(typed: str) -> Mode | None:
    """The only challenger that a person wants; None, for '' and 'all': all that the rows allow.

    Raises ModeRefused.

    >>> mode_of("recent"), mode_of("fine-tuned"), mode_of("all")
    ('recent', 'fine_tuned', None)
    """
    if typed in ("", "all"):
        return None
    found = next((one for one in MODES if one == typed.replace("-", "_")), None)
    if found is None:
        raise ModeRefused(
            f"'{typed[:40]}' is no kind of challenger; choose one of {', '.join(MODES)}, or all"
        )
    return found


@dataclass(frozen=True, slots=True)
class Run:
    """One training run. None: not known yet. Texts ending in `_json` are JSON objects."""

    run_id: str
    use_case: str
    state: State
    trigger: str
    """What asked for it: 'feedback', 'person', 'first', …"""
    reason: str
    requested_at_ms: int
    started_at_ms: int | None = None
    finished_at_ms: int | None = None
    as_of: str | None = None
    parameters_json: str | None = None
    scores_json: str | None = None
    rows_json: str | None = None
    """Row counts by name."""
    data_digest: str | None = None
    code_revision: str | None = None
    libraries_json: str | None = None
    seconds: float | None = None
    peak_memory_bytes: int | None = None
    verdict_json: str | None = None
    error: str | None = None
    bento: str | None = None
    attempts: int = 0
    """How often it was taken up again after its trainer was gone."""
    claimed_by: str | None = None
    """The process that has it."""
    beat_at_ms: int | None = None
    """When that process last said that it goes on."""
    instant_ms: int | None = None
    """Production rows as known then: see `storage.labelled.settled_instant`."""
    progress_json: str | None = None
    """stage, done, total; log: [[instant ms, text], …], every stage there was."""
    mode: Mode | None = None
    """The only challenger that is wanted; None: all that the rows allow."""


class RunFacts(TypedDict, total=False):
    """What may be told of a run when it starts or ends; the columns of `Run` by the same names."""

    as_of: str | None
    parameters_json: str | None
    scores_json: str | None
    rows_json: str | None
    data_digest: str | None
    code_revision: str | None
    libraries_json: str | None
    seconds: float | None
    peak_memory_bytes: int | None
    verdict_json: str | None
    bento: str | None
    instant_ms: int | None
    progress_json: str | None
