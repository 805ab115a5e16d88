"""All checks of one installation, in the order in which a person would look."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from diagnosis import machine, source, stored
from diagnosis.finding import Finding
from loop.clock import now_ms
from loop.refusals import StorageUnavailable
from storage.condition import revision
from storage.database import Database
from storage.processes import supervisors
from use_cases.use_case import UseCase


@dataclass(frozen=True, slots=True)
class Port:
    """A port that a service of this installation should hold."""

    host: str
    number: int
    what: str
    """What answers there: 'the API'."""
    variable: str
    """The setting that names another."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is looked at."""

    use_case: str
    read_use_case: Callable[[], UseCase]
    home: Path
    data: Path
    open_database: Callable[[], Database | None]
    """None: there is none yet. Raises StorageUnavailable."""
    ports: Sequence[Port]


def findings(place: Place) -> Iterator[Finding]:
    """Each as soon as it is known."""
    yield from machine.libraries()
    yield from machine.disk(place.home)
    yield from machine.memory()
    yield from source.use_case(place.read_use_case, place.data)
    supervisor: int | None = None
    try:
        database = place.open_database()
    except StorageUnavailable as refusal:
        yield Finding("database", "failing", str(refusal), "mend that first: nothing is stored without it")
    else:
        if database is None:
            yield Finding("database", "look", "there is none yet", "`rebento up` makes it")
        else:
            try:
                supervisor = yield from _stored(place, database)
            finally:
                database.close()
    for port in place.ports:
        yield machine.port(port.host, port.number, port.what, port.variable, supervisor)


def _stored(place: Place, database: Database) -> Generator[Finding, None, int | None]:
    yield from stored.tables(database)
    at_ms = now_ms()
    with database.reading() as connection:
        if revision(connection) is None:
            return None
        yield from stored.clock(connection, place.use_case, at_ms)
        yield from stored.bentos(connection, place.use_case, place.home)
        yield from stored.processes(connection, place.use_case, at_ms)
        yield from stored.loop(connection, place.use_case)
        there = supervisors(connection, place.use_case, at_ms=at_ms)
    here = socket.gethostname()  # another host's process ids mean nothing on this one
    return next((one.pid for one in there if one.host == here), None)
