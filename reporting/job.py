"""One report in a process of its own: `python -m reporting.job`, its task the first line of standard input.

Memory goes back when it ends, and at low priority nothing here slows an answer. It ends when standard input
does: whoever started it is gone. What it has reached goes to standard output, a JSON object a line; a
refusal or what broke it, one sentence, is the last line of standard error.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from contextlib import closing
from pathlib import Path

from loop.clock import now_ms
from loop.refusals import Refusal
from loop.stopping import when_orphaned
from reporting.child import Task
from storage.database import Database
from storage.reports import find_report
from use_cases.use_case import read_use_case


class _Lines:
    """Progress as lines that the parent reads. Libraries that print do so to standard error from here on."""

    def __init__(self) -> None:
        self._lines = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def stage(self, text: str, total: int | None = None) -> None:
        print(json.dumps({"stage": text, "total": total}), file=self._lines, flush=True)

    def advance(self, steps: int = 1) -> None:
        print(json.dumps({"advance": steps}), file=self._lines, flush=True)


def main() -> int:
    """Exit code 0: the report is done; 1: it was refused or failed, and its row says why."""
    os.nice(10)
    task = Task.from_line(sys.stdin.readline())
    when_orphaned(lambda: os._exit(1))
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    # pandas and Evidently take seconds to import: not before somebody is there to be told.
    progress = _Lines()
    progress.stage("loading")
    from reporting.run import Reporting, make_report

    with closing(Database.open(task.database_url)) as database:
        with database.reading() as connection:
            report = find_report(connection, task.report_id)
        if report is None:
            print(f"there is no report {task.report_id}", file=sys.stderr)
            return 1
        try:
            reporting = Reporting(
                use_case=read_use_case(task.use_case, tuple(map(Path, task.use_case_folders))),
                home=Path(task.home),
                data=Path(task.data),
                database=database,
                claimed_by=task.claimed_by,
                progress=progress,
                now_ms=now_ms,
            )
            make_report(report, reporting)
        except Refusal as refusal:
            print(refusal, file=sys.stderr)
            return 1
        except Exception as error:
            traceback.print_exc()
            print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
