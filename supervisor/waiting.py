"""Waiting for the first version that can be served."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from contextlib import nullcontext

from loop.clock import now_ms
from loop.refusals import StorageUnavailable
from storage.database import Database
from storage.promotions import enter_promotion, next_promotion
from storage.versions import champion
from supervisor.gate import gate

log = logging.getLogger("rebento.supervisor")

_POLL_SECONDS = 0.5


def version_to_serve(
    use_case: str,
    database: Database,
    listener: socket.socket | None,
    stopping: threading.Event,
    say: Callable[[str], None],
) -> str | None:
    """The tag of the version in Production, as soon as there is one; None: told to stop before.

    Meanwhile callers on `listener` are told to come again; None: others answer there. This process does not
    say yet that a supervisor is there, so that whoever promotes a first version does so at once.
    """
    tag = _version_to_serve(use_case, database)
    if tag is not None:
        return tag
    sentence = f"nothing of {use_case} is in Production yet; `rebento train` makes a first version"
    say(f"{sentence}. Waiting for it.")
    with nullcontext() if listener is None else gate(listener, sentence):
        is_away = False
        while not stopping.wait(_POLL_SECONDS):
            try:
                tag = _version_to_serve(use_case, database)
            except StorageUnavailable as refusal:
                if not is_away:
                    log.warning("the first version is still waited for: %s", refusal)
                is_away = True
                continue
            is_away = False
            if tag is not None:
                return tag
    return None


def _version_to_serve(use_case: str, database: Database) -> str | None:
    with database.reading() as connection:
        standing = champion(connection, use_case)
        asked = next_promotion(connection, use_case)
    if standing is not None:
        return standing.tag
    if asked is None:
        return None
    # It was asked for while a supervisor was there; nothing answers, so there is nothing to swap.
    with database.writing() as connection:
        enter_promotion(connection, asked.promotion_id, now_ms())
        standing = champion(connection, use_case)
    return None if standing is None else standing.tag
