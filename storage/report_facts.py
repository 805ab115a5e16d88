"""What is known of a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

from storage.decisions import Action

ReportState = Literal[
    "requested",  # waits for the reporter
    "running",  # a process has claimed it
    "done",  # it ended with a decision and its files
    "failed",  # `error` says why; a decision may be there all the same, where only the drawing failed
]
Trigger = Literal[
    "person",
    "schedule",  # the policy's hours have passed
    "promotion",  # a new champion has answered enough rows to be looked at
]


@dataclass(frozen=True, slots=True)
class Report:
    """One report. None: not known (yet). Texts ending in `_json` are JSON objects."""

    report_id: str
    use_case: str
    trigger: Trigger
    reason: str
    state: ReportState
    asked_json: str
    """One of {"last_rows": 1000}, {"last_days": 7}, {"from": DATE, "to": DATE},
    {"reference": DATE, "current": DATE}, and {}: as the policy says."""
    name: str | None
    """Says what was compared, such as drift_2024-01-31_vs_2024-02-29."""
    bento: str | None
    """Tag of the champion that was looked at."""
    decision: Action | None
    sentence: str | None
    """The decision's whole line."""
    decision_id: int | None
    """The row of `decisions` it led to."""
    numbers_json: str
    html: str | None
    """Path of the page, from REBENTO_HOME on; None also where the file was pruned."""
    json: str | None
    requested_at_ms: int
    started_at_ms: int | None
    ended_at_ms: int | None
    error: str | None
    claimed_by: str | None = None
    """The process that has it."""
    beat_at_ms: int | None = None
    """When that process last said that it goes on."""
    attempts: int = 0
    """How often it was taken up again after its process was gone."""


class ReportFacts(TypedDict, total=False):
    """What may be told of a report while it runs and when it ends."""

    name: str | None
    bento: str | None
    decision: Action | None
    sentence: str | None
    decision_id: int | None
    numbers_json: str
    html: str | None
    json: str | None
