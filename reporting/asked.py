"""What a report was asked to compare, read from its request."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from typing import Any, Self

from loop.refusals import Refusal


class NotAskable(Refusal):
    """A comparison that means nothing."""


@dataclass(frozen=True)
class Asked:
    """Two sides. The reference is the champion's sample where it has no date; the current side is one of a
    dated snapshot, the last rows, the last days, or the days from `since` to `until` (both with it).

    >>> Asked.parse('{"reference": "2024-01-31", "current": "2024-02-29"}', 1_000).name(0)
    'drift_2024-01-31_vs_2024-02-29'
    >>> Asked.parse('{"from": "2026-11-14", "to": "2026-11-21"}', 1_000).name(0)
    'drift_reference_vs_2026-11-14_to_2026-11-21'
    >>> Asked.parse("{}", 1_000).name(1_000)
    'drift_reference_vs_last_1000_rows_1970-01-01T000001'
    """

    reference: datetime.date | None = None
    current: datetime.date | None = None
    last_rows: int | None = None
    last_days: float | None = None
    since: datetime.date | None = None
    until: datetime.date | None = None

    @classmethod
    def parse(cls, asked_json: str, default_rows: int) -> Self:
        """What `Report.asked_json` says; where it names no window, the last `default_rows` rows.

        Raises NotAskable.
        """
        told: dict[str, Any] = json.loads(asked_json)
        unknown = sorted(set(told) - {"reference", "current", "last_rows", "last_days", "from", "to"})
        if unknown:
            raise NotAskable(f"a report knows no {', '.join(unknown)}")
        windows = [key for key in ("current", "last_rows", "last_days", "from") if told.get(key) is not None]
        if len(windows) > 1:
            raise NotAskable(f"one window at a time: give one of {', '.join(windows)}")
        if (told.get("from") is None) != (told.get("to") is None):
            raise NotAskable("a window between two dates needs both, from and to")
        asked = cls(
            reference=_day(told.get("reference")),
            current=_day(told.get("current")),
            last_rows=_above_zero(told.get("last_rows"), "last rows", int),
            last_days=_above_zero(told.get("last_days"), "last days", float),
            since=_day(told.get("from")),
            until=_day(told.get("to")),
        )
        if asked.since is not None and asked.until is not None and asked.until < asked.since:
            raise NotAskable(f"the window ends on {asked.until}, before it begins on {asked.since}")
        return asked if windows else cls(reference=asked.reference, last_rows=default_rows)

    def to_json(self) -> str:
        """As `Report.asked_json` has it."""
        told = {
            "reference": self.reference and self.reference.isoformat(),
            "current": self.current and self.current.isoformat(),
            "last_rows": self.last_rows,
            "last_days": self.last_days,
            "from": self.since and self.since.isoformat(),
            "to": self.until and self.until.isoformat(),
        }
        return json.dumps({key: value for key, value in told.items() if value is not None})

    @property
    def current_name(self) -> str:
        """The current side in a few words."""
        if self.current is not None:
            return self.current.isoformat()
        if self.since is not None:
            return f"{self.since} to {self.until}"
        if self.last_days is not None:
            return f"last {self.last_days:g} days" if self.last_days != 1 else "last day"
        return f"last {self.last_rows:,} rows"

    @property
    def reference_name(self) -> str:
        return "reference" if self.reference is None else self.reference.isoformat()

    def name(self, at_ms: int) -> str:
        """The name of the report's files. What counts back from now carries the second at which it did."""
        current = self.current_name.replace(",", "").replace(" ", "_")
        if self.current is None and self.since is None:
            moment = datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC)
            current += f"_{moment:%Y-%m-%dT%H%M%S}"
        return f"drift_{self.reference_name}_vs_{current}"


def _day(text: Any) -> datetime.date | None:
    if text is None:
        return None
    try:
        return datetime.date.fromisoformat(str(text))
    except ValueError as error:
        raise NotAskable(f"{text} is no date; write it as 2026-11-21") from error


def _above_zero(value: Any, what: str, kind: type[int] | type[float]) -> Any:
    if value is None:
        return None
    # A million days are more than the calendar has; a number beyond would be no instant.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1_000_000_000:
        raise NotAskable(f"the {what} must be a number above 0, not {value}")
    if kind is int and value != int(value):
        raise NotAskable(f"the {what} must be a whole number, not {value}")
    return kind(value)
