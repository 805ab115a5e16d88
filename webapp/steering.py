"""What a person may change from the pages: what is in Production, what happens by itself, what is trained."""

from __future__ import annotations

import datetime
from pathlib import Path

from sqlalchemy import Connection

from loop.places import bento_code
from loop.refusals import Refusal
from loop.triggers import PERSON
from storage import automation
from storage.promotions import (
    Kind,
    NotPromotable,
    Promotion,
    next_promotion,
    open_promotions,
    put_in_production,
    rollback_target,
)
from storage.run_facts import Mode, mode_of
from storage.runs import Run, request_run
from storage.runs import run as find_run
from storage.turns import take_turn
from storage.versions import UnknownVersion, Version, champion, change_stage
from storage.versions import version as find_version

_MOST_OF_A_REASON = 500


class ChangedMeanwhile(Refusal):
    """What a person agreed to is not what would happen any more."""


class NotArchivable(Refusal):
    """A version that cannot be set aside."""


class UnknownRun(Refusal):
    """A training run that this use case has not."""


class NotRetried(Refusal):
    """A run that is not over, so that it cannot be done again."""


class AsOfRefused(Refusal):
    """A day that cannot be trained as of."""


def promote(
    connection: Connection, use_case: str, home: Path, tag: str, *, instead_of: str, reason: str, at_ms: int
) -> Promotion:
    """Asks the supervisor to put a version in Production, or does so where none runs.

    `instead_of` is the champion that the person saw ('' for none). Raises ChangedMeanwhile where it is
    another by now, UnknownVersion, NotPromotable.
    """
    _must_be_champion(connection, use_case, instead_of)
    return _put(connection, use_case, home, tag, "promotion", reason, at_ms)


def roll_back(
    connection: Connection, use_case: str, home: Path, tag: str, *, instead_of: str, reason: str, at_ms: int
) -> Promotion:
    """As `promote`, of the version before the champion; automatic promotion is suspended with it."""
    _must_be_champion(connection, use_case, instead_of)
    target = rollback_target(connection, use_case)
    if target is None:
        raise NotPromotable(f"{use_case} has no earlier version to go back to; promote another, or train")
    if target.tag != tag:
        raise _changed(f"the version to go back to is {target.tag} by now")
    automation.suspend_promotion(
        connection, use_case, actor=PERSON, reason=_reason(reason, "rollback on the pages"), at_ms=at_ms
    )
    return _put(connection, use_case, home, tag, "rollback", reason, at_ms)


def archive(connection: Connection, use_case: str, tag: str, *, reason: str, at_ms: int) -> Version:
    """Sets a version aside. Raises UnknownVersion, and NotArchivable for one that answers or is about to."""
    take_turn(connection, f"promotions of {use_case}", alone=True)
    found = _version(connection, use_case, tag)
    if found.stage == "Production":
        raise NotArchivable(f"{tag} is in Production; roll back or promote another, and it is archived then")
    under_way = (next_promotion(connection, use_case), *open_promotions(connection, use_case))
    if any(one is not None and tag in (one.tag, one.previous) for one in under_way):
        raise NotArchivable(f"a promotion under way needs {tag}; wait until it has ended")
    said = _reason(reason, "set aside on the pages")
    return change_stage(connection, tag, "Archived", actor=PERSON, reason=said, at_ms=at_ms)


def pause(connection: Connection, use_case: str, *, reason: str, at_ms: int) -> None:
    """Stops what happens by itself."""
    automation.pause(
        connection, use_case, actor=PERSON, reason=_reason(reason, "paused on the pages"), at_ms=at_ms
    )


def resume(connection: Connection, use_case: str, *, reason: str, at_ms: int) -> None:
    """Ends a pause, and the suspension of promotions that a rollback left."""
    automation.resume(
        connection, use_case, actor=PERSON, reason=_reason(reason, "resumed on the pages"), at_ms=at_ms
    )


def train(
    connection: Connection, use_case: str, *, as_of: str, mode: str = "", reason: str, at_ms: int
) -> Run:
    """Asks for a run; `as_of` is a day such as 2024-01-31, '' for all known rows; `mode` the only challenger
    that is wanted, '' for all that the rows allow. Raises AsOfRefused, ModeRefused.
    """
    day, only = _day(as_of, at_ms), mode_of(mode)
    return _ask(connection, use_case, day, only, _reason(reason, "train now, on the pages"), at_ms)


def retry(connection: Connection, use_case: str, run_id: str, *, at_ms: int) -> Run:
    """Asks for a run like one that is over. Raises UnknownRun, NotRetried."""
    before = find_run(connection, run_id)
    if before is None or before.use_case != use_case:
        raise UnknownRun(f"no training run of {use_case} is called {run_id}; see the list of runs")
    if before.state in ("requested", "running"):
        raise NotRetried(f"the training run {run_id} is {before.state}; wait until it has ended")
    wanted = before.as_of, before.mode
    return _ask(connection, use_case, *wanted, f"{run_id} again, asked for on the pages", at_ms)


def _ask(
    connection: Connection, use_case: str, as_of: str | None, mode: Mode | None, reason: str, at_ms: int
) -> Run:
    return request_run(
        connection, use_case, trigger=PERSON, reason=reason, at_ms=at_ms, as_of=as_of, mode=mode
    )


def has_files(home: Path, version: Version) -> bool:
    """Whether a version's Bento is there to be served."""
    return version.files_removed_at_ms is None and bento_code(home, version.tag).is_dir()


def _put(
    connection: Connection, use_case: str, home: Path, tag: str, kind: Kind, reason: str, at_ms: int
) -> Promotion:
    if not has_files(home, _version(connection, use_case, tag)):
        raise NotPromotable(f"the files of {tag} are gone; choose a version that still has them, or train")
    said = _reason(reason, f"{kind} on the pages")
    return put_in_production(connection, use_case, tag, kind=kind, actor=PERSON, reason=said, at_ms=at_ms)


def _version(connection: Connection, use_case: str, tag: str) -> Version:
    found = find_version(connection, tag)
    if found is None or found.use_case != use_case:
        raise UnknownVersion(f"no version of {use_case} is called {tag}; see the list of versions")
    return found


def _must_be_champion(connection: Connection, use_case: str, tag: str) -> None:
    take_turn(connection, f"promotions of {use_case}", alone=True)
    standing = champion(connection, use_case)
    now = "" if standing is None else standing.tag
    if now != tag:
        raise _changed(f"{now or 'nothing'} is in Production by now")


def _changed(what: str) -> ChangedMeanwhile:
    return ChangedMeanwhile(f"{what}, so nothing was changed; look at the versions and decide again")


def _reason(typed: str, otherwise: str) -> str:
    return " ".join(typed.split())[:_MOST_OF_A_REASON] or otherwise


def _day(typed: str, at_ms: int) -> str | None:
    if not typed.strip():
        return None
    try:
        day = datetime.date.fromisoformat(typed.strip())
    except ValueError:
        raise AsOfRefused(f"'{typed.strip()[:40]}' is no day; write it as 2024-01-31") from None
    if day > datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC).date():
        raise AsOfRefused(f"{day} has not come yet; choose today (UTC) or an earlier day")
    return day.isoformat()
