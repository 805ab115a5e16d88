"""`python -m tests.supervisor.small_supervisor JSON`: a supervisor of Bentos as small as can be."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from loop.refusals import Refusal
from monitoring.logs import set_up_logs
from storage.database import Database
from storage.versions import champion
from supervisor.children import Child
from supervisor.plan import Plan
from supervisor.up import serve


def main() -> None:
    set_up_logs("supervisor", "text")
    given = json.loads(sys.argv[1])
    home = Path(given["home"])

    def folder_of(tag: str) -> Path:
        folder = home / "bentos" / tag.replace(":", "-")
        if not folder.is_dir():
            raise Refusal(f"the files of {tag} are gone")
        return folder

    database = Database.open(given["database_url"])
    with database.reading() as connection:
        standing = champion(connection, "small")
    plan = Plan(
        use_case="small",
        bento=None if standing is None else standing.tag,
        folder_of=folder_of,
        home=home,
        machine_home=Path(given["local"] or home),
        host="127.0.0.1",
        port=given["port"],
        workers=given["workers"],
        environment={},
        drain_seconds=5,
        probation_seconds=given["probation_seconds"],
        children=[Child(name, command, {}) for name, command in given["children"].items()],
        orphan_seconds=given["orphan_seconds"],
        ready_seconds=given["ready_seconds"],
        machine=given["machine"],
        silence_seconds=given["silence_seconds"],
    )
    try:
        serve(plan, database, hourly=lambda: None, say=lambda line: print(line, flush=True))
    except Refusal as refusal:
        sys.exit(f"refused: {refusal}")
    database.close()


if __name__ == "__main__":
    main()
