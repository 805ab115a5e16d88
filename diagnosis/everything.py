"""All checks of one installation, in the order in which a person would look."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from diagnosis import machine, source, stored
from diagnosis.finding import Finding
from loop.clock import now_ms
from loop.places import UNFINISHED_RESTORE
from loop.refusals import StorageUnavailable
from storage.condition import REVISIONS, is_damage, missing_tables, revision
from storage.database import Database
from storage.processes import Process, supervisors
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
    if (place.home / UNFINISHED_RESTORE).exists():
        said = f"{place.home} holds half of an installation: a restore is going on or was broken off"
        yield Finding("restore", "failing", said, "do `rebento restore FILE` again")
    yield from source.use_case(place.read_use_case, place.data)
    supervisor: Process | None = None
    try:
        database = place.open_database()
    except StorageUnavailable as refusal:
        advice = "mend that first: nothing is stored without it"
        if is_damage(refusal):
            advice = stored.FROM_A_BACKUP
        yield Finding("database", "failing", str(refusal), advice)
    else:
        if database is None:
            yield Finding("database", "look", "there is none yet", "`rebento up` makes it")
        else:
            try:
                supervisor = yield from _stored(place, database)
            except StorageUnavailable as refusal:
                said = f"the rest could not be read: {refusal}"
                yield Finding("stored", "failing", said, "mend the database first")
            finally:
                database.close()
    pid = None if supervisor is None else supervisor.pid
    is_beginning = supervisor is not None and stored.is_beginning(supervisor, now_ms())
    for port in place.ports:
        yield machine.port(port.host, port.number, port.what, port.variable, pid, is_beginning=is_beginning)


def _stored(place: Place, database: Database) -> Generator[Finding, None, Process | None]:
    yield from stored.tables(database)
    at_ms = now_ms()
    with database.reading() as connection:
        at = revision(connection)
        if at is None or at in REVISIONS[:-1] or missing_tables(connection):
            return None  # columns that the rest asks for are not there yet
        yield from stored.clock(connection, place.use_case, now_ms)
        yield from stored.bentos(connection, place.use_case, place.home)
        yield from stored.processes(connection, place.use_case, at_ms)
        yield from stored.loop(connection, place.use_case)
        there = supervisors(connection, place.use_case, at_ms=at_ms)
    here = socket.gethostname()  # another host's process ids mean nothing on this one
    return next((one for one in there if one.host == here), None)
