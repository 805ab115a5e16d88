"""The supervisor's dealings with the database, in a thread of their own.

A database that is slow or away must not keep workers from being watched: whoever asks gets a future and
looks at it in passing.
"""

from __future__ import annotations

import logging
import queue
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
from storage.promotions import (
    Promotion,
    fail_promotion,
    finish_promotion,
    next_promotion,
    open_promotions,
)
from storage.versions import champion
from supervisor.leadership import Leadership

log = logging.getLogger("rebento.supervisor")

_POLL_SECONDS = 0.3
_FAREWELL_SECONDS = 15.0

Work = Callable[[Connection], Any]


@dataclass(frozen=True)
class _Asked:
    work: Work
    future: Future[Any]
    is_repeated: bool


@dataclass(frozen=True)
class _Seen:
    """What was read last."""

    requested: Promotion | None = None
    champion: str | None = None


_NOTHING = _Seen()


class Ledger:
    """One use case's promotions as last read, and writes to them, in the order in which they were asked.

    Only the supervisor that leads writes: what another asks is refused (NoLongerLeading). `machine` names the
    lock that this one holds, `host` its machine; `silence_seconds`: how long a leader may be silent before
    this one leads. `clock` gives milliseconds UTC. A database that is away is a warning.
    """

    def __init__(
        self,
        database: Database,
        use_case: str,
        clock: Callable[[], int],
        *,
        machine: str,
        host: str,
        silence_seconds: float,
    ) -> None:
        self._database = database
        self._use_case = use_case
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._asked_count = 0
        self._done_count = 0
        self._seen = _NOTHING
        self._is_away = False
        self._leadership = Leadership(
            use_case,
            machine,
            host,
            silence_seconds,
            clock,
            time.monotonic,
            lambda connection: close_open_promotions(connection, use_case, clock()),
        )
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    @contextmanager
    def kept(self, otherwise: str) -> Iterator[str]:
        """Says for the block that a supervisor is there. Gives the tag of the version in Production.

        Both in one transaction: whoever promotes sees the supervisor, or the supervisor sees what was
        promoted. Where it leads, what a killed one left open is closed first. `otherwise` is given where the
        database cannot be written; then it joins once it can.
        """
        try:
            standing = self._join()
        except StorageUnavailable as refusal:
            self._say_away(refusal)
            standing = None
        self._thread.start()
        try:
            yield otherwise if standing is None else standing
        finally:
            # What was asked is done first. Where the database is away, the next start tidies up.
            self._asked.put(None)
            self._thread.join(_FAREWELL_SECONDS)

    @property
    def is_leading(self) -> bool:
        """Whether this supervisor carries out promotions, as far as it knows."""
        return self._leadership.own is not None

    @property
    def requested(self) -> Promotion | None:
        """The promotion that waits to be taken up by this supervisor, as last read."""
        return self._seen.requested if self.is_leading else None

    @property
    def champion(self) -> str | None:
        """The tag in Production as last read; None: not known, or about to change by what was asked here."""
        # In this order: what is read once all is done was read after it.
        return self._seen.champion if self._done_count == self._asked_count else None

    def answers_with(self, bento: str) -> None:
        """Has every beat from now on say which Bento answers here."""
        self._leadership.bento = bento

    def once(self, work: Work) -> Future[Any]:
        """Does `work` in one transaction. Its result, or its Refusal, appears in the future."""
        return self._ask(work, is_repeated=False)

    def surely(self, work: Work) -> Future[Any]:
        """As `once`, but again and again until the database is there; what is asked later waits."""
        return self._ask(work, is_repeated=True)

    def _ask(self, work: Work, is_repeated: bool) -> Future[Any]:
        future: Future[Any] = Future()
        self._asked_count += 1
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
            self._done_count += 1

    def _do(self, asked: _Asked) -> None:
        while True:
            try:
                with self._database.writing() as connection:
                    self._leadership.hold(connection)
                    result = asked.work(connection)
                self._seen = _NOTHING  # what was read last may be the very thing that this changed
            except StorageUnavailable as refusal:
                self._seen = _NOTHING
                self._say_away(refusal)
                if asked.is_repeated:
                    time.sleep(_POLL_SECONDS)
                    continue
                asked.future.set_exception(refusal)
            except Refusal as refusal:
                self._seen = _NOTHING
                log.warning("a promotion could not go on: %s", refusal)
                asked.future.set_exception(refusal)
            except Exception as error:
                # A mistake of ours: whoever asked must not wait for ever, and the service goes on.
                log.exception("the database was asked for something impossible")
                asked.future.set_exception(error)
            else:
                asked.future.set_result(result)
            return

    def _join(self) -> str | None:
        with self._database.writing() as connection:
            self._leadership.join(connection)
            standing = champion(connection, self._use_case)
        self._leadership.joined()
        return None if standing is None else standing.tag

    def _poll(self) -> None:
        if not self._leadership.has_joined:
            self._join()
        with self._database.reading() as connection:
            standing = champion(connection, self._use_case)
            requested = next_promotion(connection, self._use_case)
            has_turn = self._leadership.look(connection)
        self._seen = _Seen(requested, None if standing is None else standing.tag)
        if has_turn:
            # One that takes over settles promotions, which must reach the disk.
            with self._database.writing(durable=not self.is_leading) as connection:
                self._leadership.turn(connection)

    def _leave(self) -> None:
        with self._database.writing() as connection:
            self._leadership.leave(connection)

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
        self._leadership.forget()
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
