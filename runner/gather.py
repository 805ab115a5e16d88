"""Calls that wait at the same moment, answered by one graph run.

Nobody waits for company: a turn of the event loop answers what has come by its end. A run for one row
costs about 11 us beside its 6 us a row, so sixteen busy connections share most of it.
"""

from __future__ import annotations

import asyncio

from runner.engine import Engine, Json
from runner.rows import CheckedRows

#: Rows of one run: more would keep the event loop from its other work.
_MOST_ROWS = 64


class Gather:
    """The calls of one turn. Lives in the event loop's thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: list[tuple[CheckedRows, asyncio.Future[Json]]] = []

    def answer(self, checked: CheckedRows) -> asyncio.Future[Json]:
        """A future of the answer to one call."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Json] = loop.create_future()
        self._waiting.append((checked, future))
        if len(self._waiting) == 1:
            loop.call_soon(self._run)
        return future

    def _run(self) -> None:
        waiting, self._waiting = self._waiting, []
        while waiting:
            rows = count = 0
            while count < len(waiting) and (not count or rows + len(waiting[count][0].rows) <= _MOST_ROWS):
                rows += len(waiting[count][0].rows)
                count += 1
            group, waiting = waiting[:count], waiting[count:]
            try:
                answers = self._engine.answer([checked for checked, _ in group])
            except Exception as error:
                for _, future in group:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), answer in zip(group, answers, strict=True):
                if not future.done():  # its client may have left
                    future.set_result(answer)
