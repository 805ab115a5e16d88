"""Whether this supervisor leads or follows, as it joins, watches, takes over and is succeeded.

Only the ledger's thread uses this. See `storage.leaders` for why no clock is compared with another's.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from sqlalchemy import Connection

from storage.leaders import (
    Leader,
    NoLongerLeading,
    beat_lead,
    hold_lead,
    leader,
    leave_lead,
    take_lead,
)
from storage.processes import SUPERVISOR, beat, farewell, follower_name, forget_silent, set_aside

log = logging.getLogger("rebento.supervisor")

_BEAT_SECONDS = 2.0
#: Whoever has not looked for so long was asleep itself, and cannot say that the leader was silent meanwhile.
_ASLEEP_SECONDS = 3.0


@dataclass
class Leadership:
    """One supervisor's part. `clock` gives milliseconds UTC, `monotonic` this process's own seconds."""

    use_case: str
    machine: str
    """Named by the lock that this supervisor holds: an earlier holder of it has ended."""
    host: str
    silence_seconds: float
    clock: Callable[[], int]
    monotonic: Callable[[], float]
    settle: Callable[[Connection], None]
    """Ends what an earlier leader left open; in the transaction that begins the term."""
    holder: str = field(default_factory=lambda: uuid4().hex)
    own: Leader | None = None
    """The term that this supervisor leads in."""
    has_joined: bool = False
    bento: str | None = None
    """What answers on this host; its files are kept for as long as it does."""
    _seen: Leader | None = None
    _seen_since: float = 0.0
    _looked_at: float = 0.0
    _beats_again_at: float = 0.0

    def __post_init__(self) -> None:
        self._started_at_ms = self.clock()

    def join(self, connection: Connection) -> None:
        """Leads where nobody does, or whoever did has ended on this very lock; else follows."""
        last = leader(connection, self.use_case)
        if last is None or not last.holder or last.machine == self.machine:
            self._take(connection, last)
        self._beat(connection)

    def joined(self) -> None:
        """After the transaction of `join`."""
        self.has_joined = True
        log.info("this supervisor %s", "leads" if self.own else "follows")

    def look(self, connection: Connection) -> bool:
        """One look; whether `turn` is to be called, in a transaction that writes."""
        now = self.monotonic()
        last = leader(connection, self.use_case)
        if self.own is not None:
            is_ours = last is not None and (last.term, last.holder) == (self.own.term, self.holder)
            return not is_ours or now >= self._beats_again_at
        if last != self._seen or now - self._looked_at > _ASLEEP_SECONDS:
            self._seen, self._seen_since = last, now
        self._looked_at = now
        return self._is_free(now) or now >= self._beats_again_at

    def forget(self) -> None:
        """The database was away, for the leader as well perhaps: its silence is counted anew."""
        self._looked_at = float("-inf")

    def turn(self, connection: Connection) -> None:
        """Beats; leads where nobody does any more; follows where another does."""
        if self.own is not None:
            if not beat_lead(connection, self.own):
                self.succeeded()
        elif self._is_free(self.monotonic()):
            silent = "" if self._seen is None else self._seen.holder
            self._take(connection, self._seen)
            if self.own is not None:
                if silent:
                    set_aside(connection, self.use_case, silent)
                farewell(connection, self.use_case, follower_name(self.holder), os.getpid())
                log.warning("this supervisor leads from now on term=%d", self.own.term)
        self._beat(connection)

    def hold(self, connection: Connection) -> None:
        """Keeps the lead until the transaction ends. Raises NoLongerLeading."""
        if self.own is None:
            raise NoLongerLeading(f"this host only follows in {self.use_case}; the one that leads does this")
        try:
            hold_lead(connection, self.own)
        except NoLongerLeading:
            self.succeeded()
            raise

    def succeeded(self) -> None:
        """Another leads: from now on this one follows."""
        log.warning("another supervisor leads by now; this one follows")
        self.own, self._seen = None, None
        self._beats_again_at = 0.0

    def leave(self, connection: Connection) -> None:
        """Says farewell; where it leads, settles what is open and lets another lead at once."""
        if self.own is None or not beat_lead(connection, self.own):
            farewell(connection, self.use_case, follower_name(self.holder), os.getpid())
            return
        self.settle(connection)
        leave_lead(connection, self.own)
        farewell(connection, self.use_case, SUPERVISOR, os.getpid())

    def _is_free(self, now: float) -> bool:
        if self._seen is None or not self._seen.holder:
            return True
        return now - self._seen_since > self.silence_seconds

    def _take(self, connection: Connection, after: Leader | None) -> None:
        names = {"holder": self.holder, "machine": self.machine, "host": self.host}
        self.own = take_lead(connection, self.use_case, after, **names)
        if self.own is not None:
            self.settle(connection)
            forget_silent(connection, self.use_case, SUPERVISOR, self.clock())

    def _beat(self, connection: Connection) -> None:
        beat(
            connection,
            self.use_case,
            follower_name(self.holder) if self.own is None else SUPERVISOR,
            pid=os.getpid(),
            host=self.host,
            started_at_ms=self._started_at_ms,
            at_ms=self.clock(),
            bento=self.bento,
        )
        self._beats_again_at = self.monotonic() + _BEAT_SECONDS
