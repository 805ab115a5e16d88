"""How long work says where it is; what does it never prints."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told of every stage when it begins and of every step when it is done."""

    def stage(self, text: str, total: int | None = None) -> None:
        """A stage begins, of `total` steps (None: nobody knows)."""

    def advance(self, steps: int = 1) -> None:
        """So many more steps of the stage are done."""


class Silence:
    """Progress that nobody watches."""

    def stage(self, text: str, total: int | None = None) -> None:
        """Says nothing."""

    def advance(self, steps: int = 1) -> None:
        """Says nothing."""
