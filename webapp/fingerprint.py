"""Whether what a region shows has changed: a region that asks again gets nothing where it has not."""

from __future__ import annotations

import hashlib

from starlette.requests import Request
from starlette.responses import Response


def fingerprint(*shown: object) -> str:
    """Short, and another where anything shown is another."""
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


def unchanged(request: Request, now: str) -> Response | None:
    """The empty answer to a region that has shown just this; None: it must be drawn.

    So a reader's place in a table, and what is unfolded, stay as long as nothing happens.
    """
    is_region = request.headers.get("hx-request") and request.headers.get("hx-target")
    return Response(status_code=204) if is_region and request.query_params.get("was") == now else None
