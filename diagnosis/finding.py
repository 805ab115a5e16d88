"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Health = Literal[
    "well",
    "look",  # goes on, but a person should know
    "failing",  # something does not work, or soon will not
]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found."""

    subject: str
    """What was looked at: 'disk', 'port 8080', …"""
    health: Health
    sentence: str
    advice: str = ""
    """What to do; empty where all is well."""
