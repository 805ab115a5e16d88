"""What a person asks a report about: one window, read from a form and refused in one sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from loop.refusals import Refusal
from webapp.language import Speech

Kind = Literal["rows", "days", "dates", "snapshots"]
_KINDS: tuple[Kind, ...] = ("rows", "days", "dates", "snapshots")
MOST_ROWS, MOST_DAYS = 10_000_000, 3_650


class WindowRefused(Refusal):
    """A window that no report can look at. `field`: the one to mend."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True, slots=True)
class Asked:
    """The form, as it was typed."""

    kind: Kind = "rows"
    last_rows: str = "1000"
    last_days: str = "7"
    since: str = ""
    until: str = ""
    reference: str = ""
    current: str = ""
    field: str = ""
    """The refused field; empty: none."""
    problem: str = ""


def asked_of(form: Mapping[str, Any], snapshots: Sequence[str]) -> Asked:
    """What was typed; an unknown window counts as the first."""
    texts = {name: str(form.get(name, "")).strip()[:40] for name in _FIELDS}
    kind: Kind = next((one for one in _KINDS if one == form.get("window")), "rows")
    return replace(blank(snapshots), kind=kind, **{name: text for name, text in texts.items() if text})


def blank(snapshots: Sequence[str]) -> Asked:
    """The form before anybody typed: the two newest snapshots, where there are two."""
    newest = sorted(snapshots)[-2:]
    return Asked(reference=newest[0], current=newest[1]) if len(newest) == 2 else Asked()


def asked_json(asked: Asked, snapshots: Sequence[str], speech: Speech) -> str:
    """As `storage.reports.request_report` takes it. Raises WindowRefused."""
    if asked.kind == "rows":
        return json.dumps({"last_rows": _count(asked.last_rows, "last_rows", MOST_ROWS, speech)})
    if asked.kind == "days":
        return json.dumps({"last_days": _count(asked.last_days, "last_days", MOST_DAYS, speech)})
    if asked.kind == "snapshots":
        for name, chosen in (("reference", asked.reference), ("current", asked.current)):
            if chosen not in snapshots:
                raise WindowRefused(name, speech.gettext("Choose one of the snapshots."))
        return json.dumps({"reference": asked.reference, "current": asked.current})
    since, until = _day(asked.since, "since", speech), _day(asked.until, "until", speech)
    if until < since:
        raise WindowRefused("until", speech.gettext("The last day lies before the first."))
    return json.dumps({"from": since.isoformat(), "to": until.isoformat()})


def in_words(asked: Mapping[str, Any], speech: Speech) -> str:
    """The window that a report was asked about.

    >>> in_words({"last_rows": 1000}, Speech("en")), in_words({}, Speech("en"))
    ('the last 1,000 answers', 'the newest answers')
    """
    if "last_rows" in asked:
        rows = int(asked["last_rows"])
        return speech.ngettext("the last answer", "the last %(n)s answers", rows)
    if "last_days" in asked:
        days = asked["last_days"]
        return speech.gettext("the last %(n)s days", n=speech.number(float(days)))
    if "from" in asked:
        return speech.gettext("%(since)s to %(until)s", since=asked["from"], until=asked["to"])
    if "current" in asked:
        reference = asked.get("reference") or speech.gettext("the reference")
        return speech.gettext(
            "snapshot %(current)s against %(reference)s", current=asked["current"], reference=reference
        )
    return speech.gettext("the newest answers")


_FIELDS = ("last_rows", "last_days", "since", "until", "reference", "current")


def _count(text: str, field: str, most: int, speech: Speech) -> int:
    bare = "".join(text.split())
    found = int(bare) if bare.isascii() and bare.isdecimal() and len(bare) < 12 else 0
    if not 1 <= found <= most:
        sentence = speech.gettext("Write a whole number from 1 to %(most)s.", most=speech.number(most))
        raise WindowRefused(field, sentence)
    return found


def _day(text: str, field: str, speech: Speech) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WindowRefused(field, speech.gettext("Write a day, such as 2024-01-31.")) from None
