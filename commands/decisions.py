"""What a person decides: which version is in Production, what happens by itself, what held-back feedback
is worth."""

from __future__ import annotations

from sqlalchemy import Connection

from installation import Installation, bento_folder
from loop.clock import now_ms
from loop.refusals import Refusal
from storage import automation, quarantine
from storage.promotions import Kind, Promotion, put_in_production, rollback_target


def put_in_place(place: Installation, tag: str) -> Promotion:
    """Asks the supervisor to put a version in Production, or does so where none runs.

    A version alone will do as tag. Raises UnknownVersion, NotPromotable, and Refusal where its files
    are gone.
    """
    with place.database() as database, database.writing() as connection:
        return _promotion(place, connection, place.tag(tag), "promotion")


def go_back(place: Installation) -> Promotion:
    """As `put_in_place`, of the version before the champion; automatic promotion is suspended with it."""
    with place.database() as database, database.writing() as connection:
        target = rollback_target(connection, place.use_case_name)
        if target is None:
            raise Refusal(
                f"{place.use_case_name} has no earlier version to go back to; `rebento versions` lists "
                "those there are, and `rebento promote TAG` takes any of them"
            )
        automation.suspend_promotion(
            connection, place.use_case_name, actor="person", reason="rebento rollback", at_ms=now_ms()
        )
        return _promotion(place, connection, target.tag, "rollback")


def stop_automation(place: Installation, reason: str) -> None:
    """Stops what Rebento does by itself."""
    with place.database() as database, database.writing() as connection:
        automation.pause(connection, place.use_case_name, actor="person", reason=reason, at_ms=now_ms())


def let_automation_go_on(place: Installation, reason: str) -> None:
    """Ends a pause, and the suspension of promotions that a rollback left."""
    with place.database() as database, database.writing() as connection:
        automation.resume(connection, place.use_case_name, actor="person", reason=reason, at_ms=now_ms())


def release_source(place: Installation, source: str) -> str:
    """Takes a suspended source's feedback after all; the sentence that says what it did."""
    k = place.use_case().policy.feedbacks_per_training
    with place.database() as database, database.writing() as connection:
        rows, run = quarantine.release_source(
            connection, place.use_case_name, source, actor="person", k=k, at_ms=now_ms()
        )
    asked = f"; training requested: {run}" if run else ""
    return f"{rows:,} true answers of {source} take part from now on{asked}"


def discard_source(place: Installation, source: str) -> str:
    """Leaves a suspended source's feedback out for good; the sentence that says what it did."""
    with place.database() as database, database.writing() as connection:
        rows = quarantine.discard_source(
            connection, place.use_case_name, source, actor="person", at_ms=now_ms()
        )
    return f"{rows:,} true answers of {source} are left out for good"


def _promotion(place: Installation, connection: Connection, tag: str, kind: Kind) -> Promotion:
    verb = "promote" if kind == "promotion" else "rollback"
    promotion = put_in_production(
        connection,
        place.use_case_name,
        tag,
        kind=kind,
        actor="person",
        reason=f"rebento {verb}",
        at_ms=now_ms(),
    )
    bento_folder(place.settings.home, tag)  # a refusal here undoes the request
    return promotion
