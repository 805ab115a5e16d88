"""The supervisor's dealings with the database, in a thread of their own.

A database that is slow or away must not keep workers from being watched: whoever asks gets a future and
looks at it in passing.
"""

from __future__ import annotations

import logging
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from loop.refusals import Refusal, StorageUnavailable
from storage.database import Database
from storage.processes import beat, farewell
from storage.promotions import (
    Promotion,
    fail_promotion,
    finish_promotion,
    next_promotion,
    open_promotions,
)
from storage.versions import champion

log = logging.getLogger("rebento.supervisor")

_NAME = "supervisor"
_POLL_SECONDS = 0.3
_BEAT_SECONDS = 2.0
_FAREWELL_SECONDS = 15.0

Work = Callable[[Connection], Any]


@dataclass(frozen=True)
class _Asked:
    work: Work
    future: Future[Any]
    is_repeated: bool


class Ledger:
    """One use case's promotions as last read, and writes to them, in the order in which they were asked.

    `clock` gives milliseconds UTC. A database that is away is a warning.
    """

    def __init__(self, database: Database, use_case: str, clock: Callable[[], int]) -> None:
        self._database = database
        self._use_case = use_case
        self._clock = clock
        self._started_at_ms = clock()
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._requested: Promotion | None = None
        self._is_away = False
        self._beats_again_at = 0.0
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    @contextmanager
    def kept(self, otherwise: str) -> Iterator[str]:
        """Says for the block that a supervisor is there. Gives the tag of the version in Production.

        Both in one transaction: whoever promotes sees the supervisor, or the supervisor sees what was
        promoted. What a killed supervisor left open is closed first. `otherwise` is given where the database
        cannot be written.
        """
        try:
            with self._database.writing() as connection:
                self._close_open(connection)
                self._beat(connection)
                standing = champion(connection, self._use_case)
        except StorageUnavailable as refusal:
            self._say_away(refusal)
            self.surely(self._close_open)
            standing = None
        self._thread.start()
        try:
            yield otherwise if standing is None else standing.tag
        finally:
            # What was asked is done first. Where the database is away, the next start tidies up.
            self._asked.put(None)
            self._thread.join(_FAREWELL_SECONDS)

    @property
    def requested(self) -> Promotion | None:
        """The promotion that waits to be taken up, as last read."""
        return self._requested

    def once(self, work: Work) -> Future[Any]:
        """Does `work` in one transaction. Its result, or its Refusal, appears in the future."""
        return self._ask(work, is_repeated=False)

    def surely(self, work: Work) -> Future[Any]:
        """As `once`, but again and again until the database is there; what is asked later waits."""
        return self._ask(work, is_repeated=True)

    def _ask(self, work: Work, is_repeated: bool) -> Future[Any]:
        future: Future[Any] = Future()
        self._asked.put(_Asked(work, future, is_repeated))
        return future

    def _run(self) -> None:
        while True:
            try:
                asked = self._asked.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                self._try(self._poll)
                continue
            if asked is None:
                self._try(self._leave)
                return
            self._do(asked)

    def _do(self, asked: _Asked) -> None:
        while True:
            try:
                with self._database.writing() as connection:
                    result = asked.work(connection)
                self._requested = None  # as last read it may be the very one that this was about
            except StorageUnavailable as refusal:
                self._requested = None
                self._say_away(refusal)
                if asked.is_repeated:
                    time.sleep(_POLL_SECONDS)
                    continue
                asked.future.set_exception(refusal)
            except Refusal as refusal:
                log.warning("a promotion could not go on: %s", refusal)
                asked.future.set_exception(refusal)
            except Exception as error:
                # A mistake of ours: whoever asked must not wait for ever, and the service goes on.
                log.exception("the database was asked for something impossible")
                asked.future.set_exception(error)
            else:
                asked.future.set_result(result)
            return

    def _poll(self) -> None:
        with self._database.reading() as connection:
            self._requested = next_promotion(connection, self._use_case)
        if time.monotonic() >= self._beats_again_at:
            with self._database.writing(durable=False) as connection:
                self._beat(connection)

    def _beat(self, connection: Connection) -> None:
        beat(
            connection,
            self._use_case,
            _NAME,
            pid=os.getpid(),
            host=socket.gethostname(),
            started_at_ms=self._started_at_ms,
            at_ms=self._clock(),
        )
        self._beats_again_at = time.monotonic() + _BEAT_SECONDS

    def _close_open(self, connection: Connection) -> None:
        close_open_promotions(connection, self._use_case, self._clock())

    def _leave(self) -> None:
        with self._database.writing() as connection:
            self._close_open(connection)
            farewell(connection, self._use_case, _NAME, os.getpid())

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except StorageUnavailable as refusal:
            self._say_away(refusal)
        except Exception:
            log.exception("the promotions could not be read")
        else:
            if self._is_away:
                log.info("the database is back")
            self._is_away = False

    def _say_away(self, refusal: StorageUnavailable) -> None:
        if not self._is_away:
            log.warning("promotions wait: %s", refusal)
        self._is_away = True


def close_open_promotions(connection: Connection, use_case: str, at_ms: int) -> None:
    """Ends the promotions that a supervisor did not see through.

    One whose workers were still starting has failed. One on probation is finished: its version is in
    Production, so that is what the next start serves.
    """
    for promotion in open_promotions(connection, use_case):
        if promotion.state == "starting":
            fail_promotion(
                connection,
                promotion.promotion_id,
                at_ms,
                f"the supervisor ended before the workers of {promotion.tag} answered; ask for it again",
            )
        else:
            finish_promotion(connection, promotion.promotion_id, at_ms)
