"""What leaves an installation: old answers and old files, and what is known of one person."""

from __future__ import annotations

from installation import Installation
from loop.clock import now_ms

_DAY_MS = 86_400_000
_BATCH = 5_000


def remove_old(place: Installation) -> list[str]:
    """Removes what the policy keeps no longer; sentences that say what went."""
    from training.pruning import prune_bentos

    policy = place.use_case().policy
    sentences = [remove_old_predictions(place)]
    with place.database() as database:
        gone = prune_bentos(database, place.use_case_name, place.settings.home, policy.keep_bentos, now_ms())
    sentences += [f"the files of {tag} were removed; its scores and history stay" for tag in gone]
    return sentences


def remove_old_predictions(place: Installation) -> str:
    """Removes old predictions without feedback, without training code; a sentence says how many."""
    from storage.retention import prune_unlabelled

    days, removed = place.use_case().policy.retention_days, 0
    with place.database() as database:
        while True:
            with database.writing() as connection:
                batch = prune_unlabelled(
                    connection, place.use_case_name, older_than_ms=now_ms() - days * _DAY_MS, limit=_BATCH
                )
            removed += batch
            if batch < _BATCH:
                break
    return f"{removed:,} predictions without feedback, older than {days} days, were removed"


def remove_person(place: Installation, entity_id: str) -> list[str]:
    """Removes one person's rows; sentences that say what went and what remains."""
    from storage.retention import erase_entity

    with place.database() as database, database.writing() as connection:
        erasure = erase_entity(connection, place.use_case_name, entity_id)
    sentences = [
        f"{erasure.predictions} predictions and {erasure.feedback} feedbacks of {entity_id} were removed "
        f"from {place.use_case_name}."
    ]
    if erasure.bentos:
        sentences.append(
            f"Models that may have learned from them remain: {', '.join(erasure.bentos)}. Train again "
            "and remove those versions with their snapshots to be rid of that, too."
        )
    sentences.append("Rows of the training data itself stay where its source keeps them.")
    return sentences
