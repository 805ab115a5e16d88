"""Files being answered: one at a time, each by `rebento predict` in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from loop.clock import now_ms
from webapp.answered import summarise
from webapp.uploads import Upload, Uploads

#: Below the service's own processes: a large file must not make callers wait.
_NICENESS = 10
_LOOK_SECONDS = 0.1
_TOLD_BYTES = 4_000


class Jobs:
    """Of one process of the pages. What it was about when it ended shows as interrupted afterwards."""

    def __init__(self, uploads: Uploads, use_case: str, environment: Mapping[str, str]) -> None:
        self.uploads = uploads
        self._use_case = use_case
        self._environment = dict(environment)
        self._turn = asyncio.Semaphore(1)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._seen: dict[str, tuple[int, int]] = {}

    def start(self, upload: Upload) -> None:
        """Queues the file; harmless where it is queued already."""
        if upload.upload_id in self._tasks:
            return
        waiting = self.uploads.changed(upload, "waiting", now_ms())
        # Cancelled with the event loop, which ends the process at work.
        task = asyncio.create_task(self._run(waiting))
        self._tasks[upload.upload_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(upload.upload_id, None))

    async def stop(self, upload: Upload) -> None:
        """Ends the work on a file, if any is done."""
        task = self._tasks.get(upload.upload_id)
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @property
    def at_work(self) -> frozenset[str]:
        """Ids of the uploads that are queued or being answered."""
        return frozenset(self._tasks)

    def state_of(self, upload: Upload) -> str:
        """Its state; 'interrupted' where nobody works on it any more."""
        if upload.state in ("waiting", "running") and upload.upload_id not in self._tasks:
            return "interrupted"
        return upload.state

    def rows_answered(self, upload: Upload) -> int:
        """About how many rows were written so far. Reads only what came since the last time."""
        path = self.uploads.answers_path(upload)
        path = path.with_name(f".{path.name}.unfinished")
        position, lines = self._seen.get(upload.upload_id, (0, 0))
        with contextlib.suppress(OSError), path.open("rb") as file:
            file.seek(position)
            while block := file.read(1 << 20):
                position, lines = position + len(block), lines + block.count(b"\n")
        self._seen[upload.upload_id] = (position, lines)
        return max(lines - 1, 0)

    async def _run(self, upload: Upload) -> None:
        async with self._turn:
            upload = self.uploads.changed(upload, "running", now_ms())
            told = self.uploads.folder_of(upload) / "told.txt"
            with told.open("wb") as output:
                process = self._begin(upload, output.fileno())
            try:
                # Asked rather than awaited: event loops differ in whether a child may end outside the
                # main thread.
                while process.poll() is None:
                    await asyncio.sleep(_LOOK_SECONDS)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
                self._seen.pop(upload.upload_id, None)
            if process.returncode == 0:
                await run_in_threadpool(summarise, self.uploads.answers_path(upload))
                self.uploads.changed(upload, "done", now_ms())
            else:
                self.uploads.changed(upload, "failed", now_ms(), self._sentence(upload, told))

    def _begin(self, upload: Upload, output: int) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "cli", "predict", str(self.uploads.rows_path(upload))),
                *("-o", str(self.uploads.answers_path(upload)), "--use-case", self._use_case),
            ],
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
        return process

    def _sentence(self, upload: Upload, told: Path) -> str:
        text = told.read_bytes()[-_TOLD_BYTES:].decode("utf-8", "replace").strip()
        lines = [line for line in text.splitlines() if line.startswith("rebento: ")] or text.splitlines()[-1:]
        sentence = lines[-1].removeprefix("rebento: ") if lines else ""
        return sentence.replace(str(self.uploads.rows_path(upload)), upload.name) or "its process was ended"
