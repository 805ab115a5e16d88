"""Who answers on the port while there is no Bento to answer: 503, and that the process lives."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_RETRY_SECONDS = 5
#: A caller that sends nothing for so long is left.
_SILENT_SECONDS = 5.0
#: A body is read before it is declined: what lies unread when a connection ends resets it.
_MOST_READ_BYTES = 16 * 1024 * 1024
_ALIVE = ("/livez", "/healthz")


@contextmanager
def gate(listener: socket.socket, sentence: str) -> Iterator[None]:
    """In the block, whoever connects to the listening socket is told `sentence`, and to come again.

    At its end nobody accepts any more: connections wait in the socket's queue for the workers.
    """
    said = json.dumps({"error": sentence, "detail": [], "missing_features": []}).encode()

    class Handler(BaseHTTPRequestHandler):
        timeout = _SILENT_SECONDS
        server_version = "rebento"
        sys_version = ""

        def handle(self) -> None:
            try:
                self._decline()
            except OSError:  # a caller that hangs up, or is silent
                return

        def _decline(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                return
            length = self.headers.get("content-length", "")
            if length.isdecimal():
                left = min(int(length), _MOST_READ_BYTES)
                while left > 0 and (piece := self.rfile.read(min(left, 65536))):
                    left -= len(piece)
            is_alive = self.path.partition("?")[0] in _ALIVE
            body = b"" if is_alive else said
            self.send_response(200 if is_alive else 503)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.send_header("connection", "close")
            if not is_alive:
                self.send_header("retry-after", str(_RETRY_SECONDS))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: probes would fill the log."""

    server = ThreadingHTTPServer(listener.getsockname()[:2], Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener.dup()  # it closes what it was given; the listener itself stays
    answering = threading.Thread(target=server.serve_forever, args=(0.05,), name="gate", daemon=True)
    answering.start()
    try:
        yield
    finally:
        server.shutdown()
        answering.join()
        server.server_close()
