"""A long-lived process that is there says so, so that pages and commands can tell."""

from __future__ import annotations

import logging
import threading

from sqlalchemy import Connection

from loop.claims import Claim
from loop.clock import now_ms
from loop.refusals import StorageUnavailable
from loop.tolerance import Tolerated
from storage.database import Database
from storage.processes import beat, farewell, forget_silent

log = logging.getLogger("rebento.storage")


def beat_as(connection: Connection, use_case: str, name: str, claim: Claim, at_ms: int) -> None:
    """Says that the claimant is there under this name."""
    started_at_ms = claim.started_at_ms
    beat(connection, use_case, name, pid=claim.pid, host=claim.host, started_at_ms=started_at_ms, at_ms=at_ms)


def say_farewell(database: Database, use_case: str, name: str, claim: Claim) -> None:
    """Has the claimant be there no more. A database that is away will notice its silence."""
    try:
        with database.writing() as connection:
            farewell(connection, use_case, name, claim.pid)
            forget_silent(connection, use_case, claim.role, now_ms())
    except StorageUnavailable as refusal:
        log.warning("the %s could not say farewell: %s", claim.role, refusal)


class Presence:
    """Says every two seconds that the claimant is there under its role, also while work keeps it busy."""

    def __init__(self, database: Database, use_case: str, claim: Claim) -> None:
        self._database, self._use_case, self._claim = database, use_case, claim
        self._name = f"{claim.role} {claim.host}"  # there may be one on each host
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()
        say_farewell(self._database, self._use_case, self._name, self._claim)

    def _run(self) -> None:
        surely_beat = Tolerated(f"the {self._claim.role}'s sign of life", log, self._beat)
        while True:
            surely_beat()
            if self._left.wait(2.0):
                return

    def _beat(self) -> None:
        try:
            with self._database.writing(durable=False) as connection:
                beat_as(connection, self._use_case, self._name, self._claim, now_ms())
        except StorageUnavailable as refusal:
            log.warning("the %s could not say that it is there: %s", self._claim.role, refusal)
