"""How long a PostgreSQL server may say nothing: a network that loses packets, a server that stands still.

A server that ends breaks its connections, and whoever waits is told at once. A cable that is pulled, a
firewall that forgets, a host without power tell nobody: TCP alone would go on sending for 15 minutes, and
wait for two hours. A server that is stopped, or whose disk hangs, has a kernel that goes on answering for it:
TCP never tells.

Imported only where a PostgreSQL is used, for it needs the driver.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from time import monotonic
from typing import Any, TypeVar

import psycopg
from sqlalchemy.engine import URL

from storage.engines import WAIT_SECONDS

_CONNECT_SECONDS = 5
#: The question whether a connection of the pool still stands; nothing is quicker to answer.
_PING_SECONDS = 5.0
#: Without a byte, while a statement is carried out: more than WAIT_SECONDS, so that the reason arrives.
SILENCE_SECONDS = 12.0

#: libpq's, of this end: packets that nobody acknowledges (milliseconds; more than WAIT_SECONDS, for it counts
#: as well while the server reads no more), and whether the other host is there at all.
_CLIENT = {
    "connect_timeout": _CONNECT_SECONDS,
    "tcp_user_timeout": 15_000,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
}
#: The server's, for the sessions of ours: one whose host is gone would hold its locks for two hours.
_SESSION = {
    "lock_timeout": f"{WAIT_SECONDS}s",
    "tcp_user_timeout": 15_000,
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 3,
    "tcp_keepalives_count": 3,
}

_Result = TypeVar("_Result")


def bounds(url: URL) -> dict[str, Any]:
    """What to connect with, so that a lost network is noticed within 15 s at either end.

    What the URL itself names is left as it is there.
    """
    session = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
    own = {name: value for name, value in _CLIENT.items() if name not in url.query}
    return {**own, "options": f"{session} {url.query.get('options', '')}".strip()}


class Bounded(psycopg.Connection[Any]):
    """A connection whose waiting ends. It is closed then, and the statement may have been carried out.

    Raises OperationalError in place of waiting on: after SILENCE_SECONDS without a byte where the server
    answers nobody else either, and after `longest_seconds` in any case (a disk that hangs leaves the rest of
    a server alive).
    """

    reached_by: Mapping[str, Any]
    """The parameters of this connection."""
    longest_seconds: float

    def wait(self, gen: Generator[Any, Any, _Result], *args: Any, **kwargs: Any) -> _Result:
        try:
            return super().wait(self._watched(gen), *args, **kwargs)
        except Exception:
            raise
        except BaseException:
            # A signal broke in, and the answer will still come. Left open, the end of SQLAlchemy's ping would
            # fail on it, and hide that this process is to stop.
            self.close()
            raise

    def _watched(self, gen: Generator[Any, Any, _Result]) -> Generator[Any, Any, _Result]:
        try:
            wanted = next(gen)
            began = asks_at = 0.0
            while True:
                ready = yield wanted  # at least ten times a second, also where nothing is ready
                if ready:
                    asks_at = 0.0
                elif not asks_at:
                    began = monotonic()
                    asks_at = began + (_PING_SECONDS if self._is_ping else SILENCE_SECONDS)
                elif monotonic() > asks_at:
                    self._look(monotonic() - began)
                    asks_at = monotonic() + SILENCE_SECONDS
                wanted = gen.send(ready)
        except StopIteration as end:
            result: _Result = end.value
            return result

    @property
    def _is_ping(self) -> bool:
        # Ours are all in transactions; SQLAlchemy asks whether a connection stands outside of one.
        return self.autocommit

    def _look(self, silent_seconds: float) -> None:
        if not self._is_ping and silent_seconds < self.longest_seconds and self._server_answers():
            return
        self.close()
        raise psycopg.OperationalError(f"the server has said nothing for {silent_seconds:.0f} seconds")

    def _server_answers(self) -> bool:
        try:
            psycopg.connect(**{**self.reached_by, "connect_timeout": _CONNECT_SECONDS}).close()
        except psycopg.errors.ConnectionTimeout:
            return False
        except psycopg.OperationalError:  # too many clients, or none any more: that is an answer
            return True
        return True
