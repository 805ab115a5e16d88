"""What one supervisor keeps going, and what it says when it does."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from supervisor.children import Child


@dataclass(frozen=True)
class Plan:
    """What one supervisor keeps going."""

    use_case: str
    bento: str | None
    """The tag to begin with, where the database cannot say by then. None: wait until one is in Production."""
    folder_of: Callable[[str], Path]
    """The code of a Bento by its tag. Raises Refusal where its files are gone."""
    home: Path
    machine_home: Path
    """What this machine alone needs: the lock and the list of processes, which mean nothing elsewhere."""
    host: str
    port: int
    workers: int
    environment: Mapping[str, str]
    drain_seconds: float
    probation_seconds: float
    children: Sequence[Child] = ()
    orphan_seconds: float = 120.0
    """How long workers go on serving when this process is killed: the next may be slow to load."""
    ready_seconds: float = 120.0
    """How long the workers of a Bento may take to load; they do at low priority, beside those who answer."""
    machine: str = field(default_factory=socket.gethostname)
    """The name that other machines know this one by."""
    silence_seconds: float = 15.0
    """How long the leading supervisor may be silent before another leads."""


def greeting(plan: Plan, tag: str, seconds: float) -> list[str]:
    """The lines that say where the service answers."""
    at = f"http://{f'[{plan.host}]' if ':' in plan.host else plan.host}:{plan.port}"
    workers = f"{plan.workers} worker{'s' if plan.workers > 1 else ''}"
    return [
        f"{tag} answers at {at} after {seconds:.1f} s ({workers})",
        f"  ask       {at}/predict    POST, see examples/",
        f"  try it    {at}/           every route, its shapes, and a form",
        f"  watch     {at}/metrics    Prometheus text",
        "Ctrl-C stops it.",
    ]
