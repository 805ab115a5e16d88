"""Whether all is well, in sentences that a person reads in five seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from storage.automation import Automation
from storage.decisions import StoredDecision
from storage.promotions import Promotion
from storage.runs import Run
from webapp.language import Speech
from webapp.pulse import ServiceState

Weight = Literal[
    "failing",  # callers, or the loop itself, go without
    "look",  # a person should look at it
    "note",  # going on as it should; good to know
]


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing that a person should know."""

    weight: Weight
    sentence: str
    more: str = ""
    """Stored text behind it, in English."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the installation at one moment."""

    service: ServiceState
    has_champion: bool
    has_supervisor: bool
    has_trainer: bool
    automation: Automation
    drift: StoredDecision | None
    """The last one; None: none was ever made."""
    quality: StoredDecision | None
    last_run: Run | None
    """Of those that ended."""
    running: Run | None
    promotions: Sequence[Promotion]
    """Under way."""
    staged: int
    """Versions that wait for a person."""
    in_quarantine: int


def concerns(facts: Facts, speech: Speech) -> tuple[Concern, ...]:
    """What to know, the gravest first. Empty: all is well and nothing goes on."""
    gettext = speech.gettext
    found: list[Concern] = []
    if not facts.has_champion:
        found.append(Concern("failing", gettext("Nothing is in Production yet: train a first model.")))
    if not facts.service.is_up:
        found.append(Concern("failing", gettext("The service does not answer. Start it with rebento up.")))
    traffic = facts.service.traffic
    if traffic is not None and traffic.failed_share > 0:
        share = speech.percent(traffic.failed_share, 1)
        found.append(
            Concern("failing", gettext("%(share)s of the last minute's answers failed.", share=share))
        )
    if traffic is not None and traffic.lost_rows > 0:
        rows = int(traffic.lost_rows)
        found.append(
            Concern(
                "failing",
                speech.ngettext(
                    "%(n)s prediction was answered but not stored.",
                    "%(n)s predictions were answered but not stored.",
                    rows,
                ),
            )
        )
    found += _decided(facts.drift, gettext("Drift was found."), gettext("Drift asks for a look."))
    found += _decided(
        facts.quality,
        gettext("Answers have become worse than they should be."),
        gettext("Quality asks for a look."),
    )
    if facts.last_run is not None and facts.last_run.state == "failed":
        found.append(Concern("look", gettext("The last training run failed."), facts.last_run.error or ""))
    if facts.automation.is_paused:
        found.append(
            Concern(
                "look",
                gettext("Automation is paused: nothing trains by itself."),
                facts.automation.reason or "",
            )
        )
    elif facts.automation.promotion_is_suspended:
        found.append(
            Concern(
                "look",
                gettext("Nothing is promoted by itself until a person resumes it."),
                facts.automation.reason or "",
            )
        )
    if facts.service.is_up and not facts.has_trainer and facts.has_supervisor:
        found.append(Concern("look", gettext("The trainer does not run; it is started again by itself.")))
    if facts.staged:
        found.append(
            Concern(
                "look",
                speech.ngettext(
                    "%(n)s proven version waits for a person.",
                    "%(n)s proven versions wait for a person.",
                    facts.staged,
                ),
            )
        )
    if facts.in_quarantine:
        found.append(
            Concern(
                "look",
                speech.ngettext(
                    "%(n)s true answer is in quarantine.",
                    "%(n)s true answers are in quarantine.",
                    facts.in_quarantine,
                ),
            )
        )
    if facts.running is not None:
        found.append(Concern("note", gettext("A training run is at work."), facts.running.reason))
    for promotion in facts.promotions:
        text = (
            gettext("%(tag)s answers, on probation.", tag=promotion.tag)
            if promotion.state == "probation"
            else gettext("%(tag)s is about to answer.", tag=promotion.tag)
        )
        found.append(Concern("note", text))
    order: dict[Weight, int] = {"failing": 0, "look": 1, "note": 2}
    return tuple(sorted(found, key=lambda concern: order[concern.weight]))


def _decided(decision: StoredDecision | None, retrain: str, investigate: str) -> list[Concern]:
    if decision is None or decision.decision == "NO_ACTION":
        return []
    return [Concern("look", retrain if decision.decision == "RETRAIN" else investigate, decision.sentence)]
