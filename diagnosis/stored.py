"""What is stored: the database, the Bentos, the clock that dated them, and who says that it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Connection

from diagnosis.finding import Finding
from loop.places import bento_code, model_folder
from loop.refusals import BrokenPackage, StorageUnavailable
from runner.package import Package
from storage.automation import automation
from storage.condition import (
    REVISIONS,
    damage,
    missing_tables,
    newest_ms,
    revision,
    rights_withheld,
    server_ms,
)
from storage.database import Database
from storage.processes import Process, alive, supervisors
from storage.runs import runs
from storage.versions import Version, champion, versions

#: Clocks of two machines may be so far apart.
_APART_MS = 2_000
_PROCESSES = ("supervisor", "trainer")
#: What is loaded at low priority beside a service that has just begun may take so long on a busy machine.
_BEGINNING_MS = 60_000
FROM_A_BACKUP = (
    "stop Rebento, move REBENTO_HOME away (name an empty database, where REBENTO_DATABASE_URL is set), then "
    "`rebento restore FILE`"
)


def tables(database: Database) -> Iterator[Finding]:
    """Whether the database can be read and written, and is whole."""
    subject = "database"
    try:
        with database.reading() as connection:
            found, wrong = revision(connection), damage(connection)
            withheld, missing = rights_withheld(connection), missing_tables(connection)
        with database.writing():
            pass
    except StorageUnavailable as refusal:
        advice = (
            "look for another process that writes without an end, and at the disk; answers go on meanwhile "
            "and wait in memory"
        )
        yield Finding(subject, "failing", str(refusal), advice)
        return
    if wrong is not None:
        yield Finding(subject, "failing", f"the file is damaged: {wrong}", FROM_A_BACKUP)
    elif withheld is not None and found != REVISIONS[-1]:
        yield Finding(subject, "failing", withheld, "`rebento up` makes the tables then")
    elif found is None:
        yield Finding(subject, "look", "it has no tables yet", "`rebento up` makes them")
    elif found not in REVISIONS:
        advice = "update this code, or go on: migrations only add"
        yield Finding(subject, "look", f"newer code has migrated it to revision {found}", advice)
    elif found != REVISIONS[-1]:
        advice = "`rebento up` migrates it at its start; the rest of what is stored can be looked at then"
        yield Finding(subject, "look", f"at revision {found}, this code knows {REVISIONS[-1]}", advice)
    elif missing:
        said = f"tables are gone: {', '.join(missing)}"
        yield Finding(subject, "failing", said, FROM_A_BACKUP)
    else:
        yield Finding(subject, "well", f"read and written, at revision {found}")


def clock(connection: Connection, use_case: str, now_ms: Callable[[], int]) -> Iterator[Finding]:
    """Whether the time here agrees with the database server's, and with what was stored before."""
    asked_ms = now_ms()
    there = server_ms(connection)
    # An answer that takes long, and rows that are stored meanwhile, are no difference of clocks.
    apart_ms = 0 if there is None else max(asked_ms - there, there - now_ms())
    if apart_ms > _APART_MS:
        said = f"this machine and the database server are {apart_ms / 1000:.1f} s apart"
        yield Finding("clock", "failing", said, "let both keep time by NTP (`timedatectl set-ntp true`)")
        return
    ahead_ms = newest_ms(connection, use_case) - now_ms()
    if ahead_ms > _APART_MS:
        said = f"rows are stored that come {ahead_ms / 1000:,.0f} s from now: the clock was set back"
        advice = "set the clock right; until then new rows are dated with the newest that is stored"
        yield Finding("clock", "failing", said, advice)
    else:
        yield Finding("clock", "well", "agrees with what is stored")


def bentos(connection: Connection, use_case: str, home: Path) -> Iterator[Finding]:
    """Whether the files of every version are there, and the champion still answers as when it was built."""
    holder = champion(connection, use_case)
    kept = [one for one in versions(connection, use_case) if one.files_removed_at_ms is None]
    if holder is None:
        advice = "`rebento up` or `rebento train` makes a first version"
        yield Finding("champion", "look", f"nothing of {use_case} is in Production yet", advice)
    else:
        yield _champion(holder, home)
    gone = [one.tag for one in kept if one != holder and not bento_code(home, one.tag).is_dir()]
    if gone:
        said = f"the files of {', '.join(gone)} are gone"
        advice = f"it cannot be promoted any more; {_unpacked(home)}"
        yield Finding("store", "look", said, advice)
    else:
        yield Finding("store", "well", f"{len(kept)} versions with their files")


def _unpacked(home: Path) -> str:
    return f"its files lie in a backup: tar xf FILE --strip-components=1 -C {home} home/bentoml"


def _champion(holder: Version, home: Path) -> Finding:
    advice = "`rebento rollback` takes the version before it, `rebento promote TAG` another; or " + _unpacked(
        home
    )
    if not bento_code(home, holder.tag).is_dir():
        return Finding("champion", "failing", f"the code of {holder.tag} is gone from the store", advice)
    try:
        answered = Package.open(model_folder(home, holder.model_tag)).check_golden_rows()
    except BrokenPackage as broken:
        return Finding("champion", "failing", str(broken), advice)
    return Finding(
        "champion", "well", f"{holder.tag} answers its {answered} golden rows as when it was built"
    )


def is_beginning(supervisor: Process, at_ms: int) -> bool:
    """Whether what it starts may be loading yet."""
    return at_ms - supervisor.started_at_ms < _BEGINNING_MS


def processes(connection: Connection, use_case: str, at_ms: int) -> Iterator[Finding]:
    """Who says that it is there."""
    there = {name: alive(connection, use_case, name, at_ms=at_ms) for name in _PROCESSES}
    if there["supervisor"] is None:
        yield Finding("processes", "look", f"{use_case} is not being served", "`rebento up` serves it")
        return
    silent = [name for name, process in there.items() if process is None]
    if silent and is_beginning(there["supervisor"], at_ms):
        said = f"not heard of yet: {', '.join(silent)}; the service began within the last minute"
        yield Finding("processes", "look", said, "ask again in a minute")
    elif silent:
        advice = "`rebento up` starts it again by itself; its reason is in the log"
        yield Finding("processes", "failing", f"silent: {', '.join(silent)}", advice)
    else:
        said = ", ".join(f"{name} {process.pid}" for name, process in there.items() if process is not None)
        hosts = [one.host for one in supervisors(connection, use_case, at_ms=at_ms)]
        served = f"; served by {len(hosts)} hosts: {', '.join(hosts)}" if len(hosts) > 1 else ""
        yield Finding("processes", "well", said + served)


def loop(connection: Connection, use_case: str) -> Iterator[Finding]:
    """Whether the loop turns: nothing paused, the last trainings did not fail."""
    state = automation(connection, use_case)
    if state.is_paused:
        yield Finding("automation", "look", "paused: nothing trains by itself", "`rebento resume` ends that")
    elif state.promotion_is_suspended:
        said = "nothing is promoted by itself since a rollback"
        yield Finding("automation", "look", said, "`rebento resume` ends that")
    else:
        yield Finding("automation", "well", "on")
    ended = [one for one in runs(connection, use_case, limit=20) if one.state in ("built", "failed")][:2]
    if len(ended) == 2 and all(one.state == "failed" for one in ended):
        yield Finding(
            "training",
            "failing",
            f"the last two runs failed: {ended[0].error}",
            "see the run's page, then `rebento train`",
        )
    elif ended and ended[0].state == "failed":
        yield Finding(
            "training", "look", f"the last run failed: {ended[0].error}", "the next may do; see its page"
        )
    else:
        yield Finding("training", "well", "the last run was built" if ended else "no run has ended yet")
