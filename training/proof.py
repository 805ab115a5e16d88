"""What becomes of a challenger that was proven better."""

from __future__ import annotations

from sqlalchemy import Connection

from storage.automation import automation
from storage.promotions import next_promotion, open_promotions, request_promotion
from storage.versions import champion, change_stage, version
from use_cases.use_case import UseCase

#: Who promotes and stages what was proven.
JUDGE = "judge"


def act_on_proof(connection: Connection, use_case: UseCase, tag: str, reason: str, at_ms: int) -> str:
    """Asks for a proven challenger's promotion, or lets it wait in Staging; the sentence that says which.

    What a person, or a swap under way, has done with it or its champion since it was judged stands.
    """
    state = automation(connection, use_case.name)
    holder = champion(connection, use_case.name)
    proven = version(connection, tag)
    judged_against = None if proven is None else proven.parent
    coming = _coming(connection, use_case.name)
    if holder is not None and holder.tag == tag:
        return "it is in Production by now"
    if coming == tag:
        return "it is on its way to Production already"
    if proven is not None and proven.files_removed_at_ms is not None:
        return "its files were removed meanwhile, so it stays as it is"
    if coming is not None:
        waits = f"{coming} is on its way to Production"
    elif holder is not None and judged_against != holder.tag:
        waits = f"{holder.tag} has come to Production since it was judged against {judged_against}"
    elif use_case.policy.promotion == "ask":
        waits = "the policy asks a person"
    elif state.promotion_is_suspended:
        waits = "automatic promotion is suspended until `rebento resume`"
    elif state.is_paused:
        waits = "automation is paused until `rebento resume`"
    else:
        request_promotion(
            connection, use_case.name, tag, kind="promotion", actor=JUDGE, reason=reason, at_ms=at_ms
        )
        return f"it takes the place of {holder.tag if holder else 'nothing'}"
    change_stage(connection, tag, "Staging", actor=JUDGE, reason=f"{reason}; {waits}", at_ms=at_ms)
    return f"it waits in Staging: {waits}; `rebento promote {tag}` puts it in Production"


def _coming(connection: Connection, use_case: str) -> str | None:
    """The version that is about to answer; a proven one that still waits makes way for a later one."""
    for one in open_promotions(connection, use_case):
        if one.state == "starting":
            return one.tag
    asked = next_promotion(connection, use_case)
    return None if asked is None or asked.actor == JUDGE else asked.tag
