"""`python -m benchmarks.soak`: minutes of calls while whatever can happen to an installation happens.

Four callers ask and tell what was true; meanwhile Bentos are swapped, workers, trainer, reporter, pages and
the supervisor itself are killed with -9, workers stand still, the database is held, a backup is made. At the
end every call, every prediction, every feedback and every training request is accounted for; what was
promised and not kept is said, and the exit code is 1. The same seed throws the same dice; what they meet
depends on the moment.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from rich.console import Console

from benchmarks.servers import ROOT, free_port
from benchmarks.soak.accounts import broken_promises
from benchmarks.soak.callers import Account, calling
from benchmarks.soak.installation import Installation
from benchmarks.swap import NAME, prepare
from storage.database import Database

_K = 300
#: What was begun last comes to its end.
_QUIET_SECONDS = 10.0


def soak(
    folder: Path, minutes: float, seed: int, postgresql: str = ""
) -> tuple[Installation, Account, list[str]]:
    """What was done, what was answered, and what was promised and not kept."""
    if postgresql:
        os.environ["REBENTO_DATABASE_URL"] = postgresql
    environment, row = prepare(folder, probation_seconds=2, feedbacks_per_training=_K)
    port = free_port()
    environment |= {
        "REBENTO_API_PORT": str(port),
        "REBENTO_WEB_PORT": str(free_port()),
        "REBENTO_REPORTING_PORT": str(free_port()),
        "REBENTO_WORKERS": "2",
    }
    (example,) = json.loads(row.read_text())["rows"]
    url = postgresql or f"sqlite:///{folder / 'var' / 'rebento.sqlite'}"
    with closing(Database.open(url)) as database:
        there = Installation(
            environment, folder / "up.log", database, random.Random(seed), on_postgresql=bool(postgresql)
        )
        there.start()
        there.wait_until_up()
        with calling(port, example, seed) as account:
            ends = time.monotonic() + 60 * minutes
            while (left := ends - time.monotonic()) > 0:
                print(f"{left:4.0f} s left, {there.done.total()} things done", end="\r", file=sys.stderr)
                time.sleep(there.chance.uniform(0.1, 3))
                there.one_thing()
            time.sleep(_QUIET_SECONDS)
        code, left_behind = there.stop()
        broken = broken_promises(
            database, account, there.kills, there.done["kill_supervisor"], k=_K, use_case=NAME
        )
    if code != 0:
        broken.append(f"the supervisor's exit code is {code}")
    broken += [f"a process was left behind: {one}" for one in left_behind]
    said = there.log.read_text(errors="replace")
    if "Traceback" in said:
        begin = said.index("Traceback")
        first = said[max(0, begin - 300) : begin + 2_500]
        broken.append(f"{said.count('Traceback')} tracebacks in the log, the first:\n{first}")
    return there, account, broken


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgresql", default="", metavar="URL", help="an empty database; else SQLite")
    parser.add_argument("--keep", type=Path, help="folder for the installation and its log, kept afterwards")
    given = parser.parse_args()
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory(prefix="rebento-soak-") as passing:
        folder = Path(passing) if given.keep is None else given.keep.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        there, account, broken = soak(folder, given.minutes, given.seed, given.postgresql)
    console = Console(width=110)
    console.print(f"done: {dict(there.done)}")
    console.print(
        f"{len(account.answered):,} predictions answered, by Bento {dict(account.bentos)}; "
        f"{account.acknowledged.total():,} feedbacks accepted, refused {dict(account.refused)}; "
        f"{len(account.failed)} calls cut by a killed worker; slowest {account.slowest_seconds:.1f} s; "
        f"{account.scrapes} scrapes"
    )
    for one in broken:
        console.print(f"NOT KEPT: {one}", markup=False)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
