"""A Bento's worker as small as can be: started, told and ended as `runner.worker` is.

Answers each connection with one HTTP response that names its Bento. What else it does says the file
`behaviour.json` beside it, read again whenever it matters:
  load_seconds   how long it takes to be ready
  exit           ends with this code instead of becoming ready
  speaks         1: the protocol of the first Bentos, which know no orders
  status         of its answers
  crash          ends with code 1 at the next answer
  deaf           obeys no order any more, and acknowledges none
"""

import argparse
import contextlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from prometheus_client import Counter

parser = argparse.ArgumentParser()
parser.add_argument("bento")
parser.add_argument("--fd", type=int, required=True)
parser.add_argument("--ready-fd", type=int, required=True)
parser.add_argument("--drain-seconds", type=float)
arguments = parser.parse_args()
here = Path(__file__).parent
requests = Counter("api_requests", "Requests answered.", ["route", "status"])
accepts, leaves = threading.Event(), threading.Event()


def behaviour(name, default):
    return json.loads((here / "behaviour.json").read_text()).get(name, default)


def say(line):
    os.write(arguments.ready_fd, f"{line}\n".encode())


def obey():
    for line in sys.stdin:
        if behaviour("deaf", False):
            continue
        if line.strip() == "accept":
            accepts.set()
        else:
            accepts.clear()
        if line.strip() == "leave":
            leaves.set()
        with contextlib.suppress(BrokenPipeError):
            say("accepting" if accepts.is_set() else "standby")
    # Whoever started it is gone.
    if accepts.is_set():
        leaves.wait(float(os.environ["WORKER_ORPHAN_SECONDS"]))
    leaves.set()


began = time.monotonic()
while time.monotonic() - began < behaviour("load_seconds", 0):
    time.sleep(0.02)
if (code := behaviour("exit", None)) is not None:
    sys.exit(code)
signal.signal(signal.SIGTERM, lambda *_: leaves.set())
listener = socket.socket(fileno=arguments.fd)
listener.setblocking(False)
is_old = behaviour("speaks", 2) == 1
if is_old or os.environ["WORKER_STARTS"] != "standby":
    listener.listen(2048)
    accepts.set()
say("ready" if is_old else "ready 2")
threading.Thread(target=obey, daemon=True).start()
while not leaves.is_set():
    if not accepts.wait(0.02):
        continue
    listener.listen(2048)
    if not select.select([listener], [], [], 0.02)[0] or leaves.is_set() or not accepts.is_set():
        continue
    try:
        connection, _ = listener.accept()
    except BlockingIOError:  # another worker was quicker
        continue
    connection.setblocking(True)
    connection.recv(65536)
    if behaviour("crash", False):
        os._exit(1)
    status = behaviour("status", 200)
    requests.labels("/predict", str(status)).inc()
    body = json.dumps({"bento": arguments.bento, "pid": os.getpid()}).encode()
    connection.sendall(
        b"HTTP/1.1 %d x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body)
    )
    connection.close()
