"""Makes one report in a child process and sees it through. Light: no pandas, no Evidently in here."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from queue import SimpleQueue
from typing import IO, Self

from loop.progress import Progress

log = logging.getLogger("rebento.reporter")

_LOOK_SECONDS = 0.1
_LEAVE_SECONDS = 5.0
_LAST_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Task:
    """What a child process needs to know."""

    report_id: str
    use_case: str
    use_case_folders: tuple[str, ...]
    home: str
    data: str
    database_url: str
    claimed_by: str

    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, text: str) -> Self:
        told = json.loads(text)
        return cls(**{**told, "use_case_folders": tuple(told["use_case_folders"])})


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child process ended."""

    code: int
    """As of a shell's process; negative: the signal that killed it."""
    reason: str
    """Why it failed, one sentence; empty where it did not."""


def make_in_child(
    task: Task, progress: Progress, *, within_seconds: float, beat: Callable[[], None]
) -> Ended:
    """Runs the task to its end. `beat` is called every two seconds, from this thread.

    The child is ended where this is left by an exception (a signal's), and after `within_seconds`.
    """
    # Threads of linear algebra would outnumber the cores that answer. No word of Evidently's use leaves.
    quiet = {"DO_NOT_TRACK": "1", **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "reporting.job"],
            env={**os.environ, **quiet},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            start_new_session=True,  # Ctrl-C is for who waits here
        )
        assert process.stdin is not None and process.stdout is not None
        told: SimpleQueue[str] = SimpleQueue()
        threading.Thread(target=_listen, args=(process.stdout, told), daemon=True).start()
        try:
            with contextlib.suppress(BrokenPipeError):  # it has died already; how is told below
                process.stdin.write(task.line())
                process.stdin.flush()
            is_late = not _ended_in_time(process, within_seconds, beat, lambda: _pass_on(told, progress))
        finally:
            _end(process)
            process.stdout.close()
        lines = _last_lines(said)
    if process.returncode:
        # Its traceback, for who looks after the reporter: `rebento report` shows no INFO.
        log.info("the report's process ended code=%d and said:\n%s", process.returncode, "\n".join(lines))
    return Ended(process.returncode, _reason(process.returncode, lines, is_late, within_seconds))


def _ended_in_time(
    process: subprocess.Popen[str], seconds: float, beat: Callable[[], None], look: Callable[[], None]
) -> bool:
    deadline = time.monotonic() + seconds
    next_beat = time.monotonic()
    while process.poll() is None:
        now = time.monotonic()
        if now >= deadline:
            return False
        if now >= next_beat:
            beat()
            next_beat = now + 2.0
        look()
        time.sleep(_LOOK_SECONDS)
    return True


def _listen(lines: IO[str], told: SimpleQueue[str]) -> None:
    with contextlib.suppress(ValueError):  # closed while it waits
        for line in lines:
            told.put(line)


def _pass_on(told: SimpleQueue[str], progress: Progress) -> None:
    while not told.empty():
        reached = json.loads(told.get())
        if "stage" in reached:
            progress.stage(reached["stage"], reached["total"])
        else:
            progress.advance(reached["advance"])


def _end(process: subprocess.Popen[str]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    try:
        process.wait(_LEAVE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_lines(said: IO[bytes]) -> list[str]:
    said.seek(max(0, said.seek(0, os.SEEK_END) - _LAST_BYTES))
    return [line.rstrip() for line in said.read().decode(errors="replace").splitlines() if line.strip()]


def _reason(code: int, lines: list[str], is_late: bool, seconds: float) -> str:
    if is_late:
        return f"it took longer than {seconds:g} s and was ended; compare fewer rows"
    if code == -signal.SIGKILL:
        return "its process was killed, by a person or for want of memory; compare fewer rows, or add memory"
    if code == 0:
        return ""
    last = lines[-1].strip() if lines else "it gave no reason"
    return last if code > 0 else f"its process died of signal {-code}: {last}"
