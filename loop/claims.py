"""Who is doing a training run or a report, and whether they are still there."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Literal, Self, get_args

Role = Literal["trainer", "reporter", "annotator", "command"]

#: Work whose claimant has been silent for so long has lost it: it speaks every two seconds.
SILENCE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Claim:
    """One process that does runs or reports: `trainer@host:pid:started`."""

    role: Role
    """What a trainer or reporter did is done again when it dies; of a command's a person has seen the end."""
    host: str
    pid: int
    started_at_ms: int

    @classmethod
    def of_this_process(cls, role: Role, started_at_ms: int) -> Self:
        return cls(role, socket.gethostname(), os.getpid(), started_at_ms)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None where the text is no claim (a run of an older release names nobody)."""
        role, _, place = text.partition("@")
        host, _, numbers = place.partition(":")
        pid, _, started = numbers.partition(":")
        if role not in get_args(Role) or not pid.isdigit() or not started.isdigit():
            return None
        return cls(role, host, int(pid), int(started))  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"{self.role}@{self.host}:{self.pid}:{self.started_at_ms}"


def is_gone(claim: Claim | None, beat_at_ms: int | None, *, here: Claim, at_ms: int) -> bool:
    """Whether the run that `claim` holds goes on no more. `here` is who asks, who is not doing it.

    On one host a process is seen at once; elsewhere, or where the host cannot tell, by its silence.

    >>> here = Claim("trainer", "a", 7, 1_000)
    >>> is_gone(Claim("trainer", "b", 9, 900), 5_000, here=here, at_ms=20_000)
    False
    >>> is_gone(Claim("trainer", "b", 9, 900), 5_000, here=here, at_ms=90_000)
    True
    """
    if claim is not None and claim.host == here.host:
        # A container gives every restart the same process id.
        if claim.pid == here.pid or not _runs(claim.pid):
            return True
    return at_ms - (beat_at_ms or 0) > SILENCE_MS


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
