"""Waiting for a receipt from the journal, and not for ever."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TypeVar

from loop.refusals import StorageUnavailable

#: More than the 10 s in which a writer waits for another's lock, and than those that a lost connection takes
#: to be noticed: those say why.
_SECONDS = 15.0

Receipt = TypeVar("Receipt")


async def durable(future: Future[Receipt], seconds: float = _SECONDS) -> Receipt:
    """What the journal says of a call, once it is on disk. Raises StorageUnavailable after so many seconds.

    A call that the journal has not taken up by then is not stored any more.
    """
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.wrap_future(future)
    except TimeoutError as error:
        raise StorageUnavailable(
            f"the database has not stored this within {seconds:g} seconds; send it again later: what has a "
            "prediction_id or a key counts once, also where the first was stored after all"
        ) from error
