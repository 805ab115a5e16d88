"""What the other processes of the storage tests do: `python -m tests.storage.writers NAME URL …`."""

from __future__ import annotations

import itertools
import os
import resource
import select
import signal
import sys

from loop.refusals import StorageUnavailable
from storage.database import Database
from storage.predictions import record_predictions
from tests.storage.rows import log, prediction, tell, truth


def batches(url: str, name: str, count: str, size: str, k: str) -> None:
    """Logs and labels `count` batches of `size` rows, as fast as it can."""
    database = Database.open(url)
    print("ready", flush=True)
    sys.stdin.readline()
    for batch in range(int(count)):
        names = [f"{name}-{batch}-{row}" for row in range(int(size))]
        log(database, *names, k=int(k))
        tell(database, *(truth(each) for each in names), k=int(k))


def stream(url: str) -> None:
    """Labels one row after the other, and prints each id once it is acknowledged. Ends by being killed."""
    database = Database.open(url)
    for number in itertools.count():
        name = f"row-{number}"
        log(database, name, k=10)
        tell(database, truth(name), k=10)
        print(name, flush=True)


def same_rows(url: str, name: str, count: str) -> None:
    """Labels the same rows as every other process does."""
    database = Database.open(url)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(count)):
        tell(database, truth(f"row-{number}", target=name), k=5)


def either(url: str, what: str, count: str) -> None:
    """Logs rows, or labels them, whichever comes first: the other process does the other."""
    database = Database.open(url)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(count)):
        name = f"row-{number}"
        if what == "log":
            log(database, name, k=10)
        else:
            tell(database, truth(name), k=10)


def crossed(url: str, mine: str, theirs: str, count: str) -> None:
    """Stores its own rows together with feedback on the other process's, in one transaction."""
    from storage.feedback import record_feedback
    from tests.storage.rows import USE_CASE

    database = Database.open(url)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(count)):
        with database.writing() as connection:
            record_predictions(connection, [prediction(f"{mine}-{number}")], 10)
            record_feedback(connection, USE_CASE, [truth(f"{theirs}-{number}")], 10)


def migrate(url: str) -> None:
    """Opens and migrates at the same moment as the others, and prints a secret."""
    print("ready", flush=True)
    sys.stdin.readline()
    database = Database.open(url)
    database.migrate()
    print(database.secret("ids").hex())


def promote(url: str, name: str, count: str) -> None:
    """Promotes its own version again and again."""
    from storage.versions import change_stage

    database = Database.open(url)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(count)):
        with database.writing() as connection:
            change_stage(connection, name, "Production", actor=name, reason="race", at_ms=number)


def claim(url: str, name: str, count: str) -> None:
    """Claims its own run of each use case, and prints which it got."""
    from storage.runs import start_run

    database = Database.open(url)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(count)):
        with database.writing() as connection:
            if start_run(connection, f"{name}-{number}", 1, claimed_by=name):
                print(number)


def churn(url: str, name: str, count: str) -> None:
    """Logs, labels before and after, corrects, suspends and releases, by a clock that is behind.

    So many rounds, and on until nobody holds its standard input open; prints how many rows it labelled.
    """
    from storage.quarantine import release_source, suspend_source
    from tests.storage.rows import USE_CASE

    database = Database.open(url)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in itertools.count():
        # Every tenth round begins with no source suspended.
        if number >= int(count) and number % 10 == 0 and select.select([sys.stdin], [], [], 0)[0]:
            break
        at_ms = number * 10
        early, late = f"{name}-{number}-early", f"{name}-{number}-late"
        tell(database, truth(early, source=name, at_ms=at_ms))
        log(database, early, late, at_ms=at_ms)
        tell(database, truth(late, source=name, at_ms=at_ms - 7), truth(early, "no", at_ms=at_ms - 9))
        if number % 10 == 3:
            with database.writing() as connection:
                suspend_source(connection, USE_CASE, name, reason="odd", at_ms=at_ms - 5, since_ms=at_ms - 50)
        if number % 10 == 6:
            with database.writing() as connection:
                release_source(connection, USE_CASE, name, actor="ana", k=1_000, at_ms=at_ms - 5)
    print(2 * number)


def full_disk(url: str) -> None:
    """Writes until files may grow no further, and prints how each write ended."""
    database = Database.open(url)
    log(database, "before")
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    try:
        log(database, *(f"row-{number}" for number in range(20_000)))
    except StorageUnavailable as refusal:
        print(f"refused: {refusal}")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(f"stored afterwards: {log(database, 'after')}")


def read_only(url: str) -> None:
    """Tries to write as a user who may only read the file."""
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    try:
        log(Database.open(url), "row")
    except StorageUnavailable as refusal:
        print(f"refused: {refusal}")


def start(url: str) -> None:
    """What serving does when it starts; prints the heavy modules that this brought in."""
    import storage.feedback
    import storage.retention
    import storage.runs
    import storage.versions  # noqa: F401

    database = Database.open(url)
    database.migrate()
    log(database, "row")
    heavy = {"alembic", "pandas", "pyarrow", "sklearn", "mako"} & set(sys.modules)
    print(f"heavy: {sorted(heavy)}")


WRITERS = (
    *(batches, stream, same_rows, either, crossed, claim, churn),
    *(migrate, promote, full_disk, read_only, start),
)

if __name__ == "__main__":
    {writer.__name__: writer for writer in WRITERS}[sys.argv[1]](*sys.argv[2:])
