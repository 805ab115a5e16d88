"""How far a training run is, and what it has done so far, as its row keeps them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from storage.runs import Run


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; `total` is None where nobody knows."""

    stage: str
    done: int
    total: int | None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One step of a run, and how long after its first one it began."""

    seconds: float
    text: str


def progress_of(run: Run | None) -> Progress | None:
    """Of a run that is at work; None of others, and before its first word."""
    if run is None or run.state != "running":
        return None
    told = _told(run)
    return (
        Progress(str(told.get("stage", "")), int(told.get("done") or 0), told.get("total")) if told else None
    )


def log_of(run: Run) -> tuple[LogLine, ...]:
    """Every step so far, and how it ended; empty for a run that never began."""
    lines = [(int(at_ms), str(text)) for at_ms, text in _told(run).get("log", ())]
    if lines and run.finished_at_ms is not None:
        lines.append((run.finished_at_ms, f"failed: {run.error}" if run.error else run.state))
    return tuple(LogLine(max(0, at_ms - lines[0][0]) / 1_000, text) for at_ms, text in lines)


def _told(run: Run) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(run.progress_json or "{}")
    return told
