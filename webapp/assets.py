"""The files under `static/`: read once, compressed once, kept by browsers for ever under a name that holds
the hash of their content."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_FOLDER = Path(__file__).resolve().parents[1] / "static"
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file."""

    url: str
    content: bytes
    compressed: bytes
    media_type: str


class Assets:
    """All of them, by name (`vendor/htmx.min.js`) and by URL."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        self._by_name = {
            path.relative_to(folder).as_posix(): _asset(folder, path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        self._by_url = {asset.url: asset for asset in self._by_name.values()}

    def url(self, name: str) -> str:
        """Where a file is. Raises KeyError for one that is not there."""
        return self._by_name[name].url

    async def serve(self, request: Request) -> Response:
        asset = self._by_url.get(request.url.path)
        if asset is None:
            raise HTTPException(404)
        headers = {"cache-control": _FOR_EVER, "vary": "accept-encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            return Response(asset.compressed, headers=headers, media_type=asset.media_type)
        return Response(asset.content, headers=headers, media_type=asset.media_type)


def _asset(folder: Path, path: Path) -> Asset:
    content = path.read_bytes()
    name = path.relative_to(folder)
    digest = hashlib.sha256(content).hexdigest()[:12]
    url = f"/static/{name.with_suffix('').as_posix()}.{digest}{path.suffix}"
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Asset(url, content, gzip.compress(content, 9, mtime=0), media_type)
