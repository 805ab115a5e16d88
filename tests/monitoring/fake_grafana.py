"""A FAKE Grafana: the few calls of its published HTTP API that Rebento makes, kept in memory.

No Grafana server can be had where these tests run. What it knows follows the pages "Folder", "Data source",
"Dashboard" and "Annotations HTTP API" of Grafana's documentation; it checks what it is sent as Grafana would.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, Any]


@dataclass
class FakeGrafana:
    """What it holds; `role` is that of the token 'right'."""

    role: str = "Admin"
    address: str = ""
    folders: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    dashboards: dict[str, dict[str, Any]] = field(default_factory=dict)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    writes: int = 0
    asked: int = 0
    version: str = "12.1.1"
    is_away: bool = False

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any, token: str) -> Answer:
        self.asked += 1
        if self.is_away:
            return 503, {"message": "Service Unavailable"}
        if (method, path) == ("GET", "/api/health"):  # it asks for no token
            return 200, {"commit": "fake", "database": "ok", "version": self.version}
        if token != "Bearer right":
            return 401, {"message": "Invalid API key"}
        parts = path.removeprefix("/api/").split("/")
        if method in ("POST", "PUT"):
            if self.role == "Viewer" or (parts[0] == "datasources" and self.role != "Admin"):
                return 403, {"message": "You'll need additional permissions to perform this action."}
            self.writes += 1
        match method, parts:
            case "GET", ["folders", uid]:
                return self._one(self.folders, uid, "folder not found")
            case "GET", ["folders"]:
                return 200, list(self.folders.values())
            case "POST", ["folders"]:
                if body["title"] in {one["title"] for one in self.folders.values()}:
                    return 409, {"message": "a folder with the same name already exists in this location"}
                self.folders[body["uid"]] = {"id": len(self.folders) + 1, **body}
                return 200, self.folders[body["uid"]]
            case "GET", ["datasources", "uid", uid]:
                return self._one(self.sources, uid, "Data source not found")
            case "POST", ["datasources"]:
                assert body["access"] in ("proxy", "direct") and body["type"]
                if body["name"] in {one["name"] for one in self.sources.values()}:
                    return 409, {"message": "data source with the same name already exists"}
                self.sources[body["uid"]] = {"id": 1, "orgId": 1, "readOnly": False, **body}
                return 200, {"message": "Datasource added", "datasource": self.sources[body["uid"]]}
            case "PUT", ["datasources", "uid", uid]:
                if self.sources[uid]["readOnly"]:
                    return 403, {"message": "Cannot update read-only data source"}
                self.sources[uid] = {**self.sources[uid], **body}
                return 200, {"message": "Datasource updated"}
            case "GET", ["dashboards", "uid", uid]:
                return self._one(self.dashboards, uid, "Dashboard not found")
            case "POST", ["dashboards", "db"]:
                return self._keep(body)
            case "GET", ["annotations"]:
                wanted = set(query.get("tags", []))
                return 200, [one for one in self.annotations if wanted <= set(one["tags"])]
            case "POST", ["annotations"]:
                assert isinstance(body["time"], int) and body["time"] > 10**12  # milliseconds
                self.annotations.append({"id": len(self.annotations) + 1, **body})
                return 200, {"message": "Annotation added", "id": len(self.annotations)}
        return 404, {"message": "Not found"}

    def _keep(self, body: Any) -> Answer:
        page = dict(body["dashboard"])
        uid, there = page["uid"], self.dashboards.get(page["uid"])
        if body["folderUid"] not in self.folders:
            return 400, {"message": "folder not found"}
        if there is not None and there["meta"].get("provisioned"):
            return 400, {"message": "Cannot save provisioned dashboard"}
        if there is not None and not body.get("overwrite"):
            return 412, {"message": "A dashboard with the same uid already exists", "status": "name-exists"}
        page |= {"id": len(self.dashboards) + 1, "version": there["dashboard"]["version"] + 1 if there else 1}
        meta = {"folderUid": body["folderUid"], "provisioned": False}
        self.dashboards[uid] = {"dashboard": page, "meta": meta}
        return 200, {"uid": uid, "status": "success", "version": page["version"]}

    @staticmethod
    def _one(held: dict[str, dict[str, Any]], uid: str, otherwise: str) -> Answer:
        return (200, held[uid]) if uid in held else (404, {"message": otherwise})


@contextmanager
def fake_grafana(role: str = "Admin") -> Iterator[FakeGrafana]:
    """A fake Grafana that listens on loopback."""
    fake = FakeGrafana(role)

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            url = urlsplit(self.path)
            sent = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, body = fake.answer(
                self.command,
                url.path,
                parse_qs(url.query),
                json.loads(sent) if sent else None,
                self.headers.get("authorization", ""),
            )
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = _do

        def log_message(self, format: str, *arguments: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
