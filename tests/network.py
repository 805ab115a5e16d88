"""A network that loses packets, and a server that no longer answers.

A cut drops packets without a word, as a pulled cable or a host without power does: nobody is told that the
connection is gone. A frozen server keeps its connections and takes new ones (its kernel does), and says
nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import pytest

from tests.storage import postgres

#: Where one "host" of a test reaches the server; the others, and the test itself, use 127.0.0.1.
FAR = "127.0.0.2"
#: `if-possible`: where packets cannot be dropped these tests are skipped, loudly; else they fail.
WANTED = "REBENTO_TEST_NETWORK"
NOT_TESTED = (
    "NOT TESTED: what happens while packets to the database are lost. {why}. Run this as root with iptables "
    f"installed, or set {WANTED}=if-possible to go without"
)


@dataclass
class FarServer(postgres.Server):
    """A server of two addresses, of which one may be cut off, and which may be frozen."""

    @property
    def far_url(self) -> str:
        """As `url`, by the address that `cut` cuts off."""
        return f"postgresql+psycopg://rebento@{FAR}:{self.port}/postgres"

    def start(self) -> bool:
        options = f"-h 127.0.0.1,{FAR} -p {self.port} -k {self.folder} -c fsync=off -c max_connections=100"
        log = str(self.folder / "server.log")
        return self._control("start", "--timeout", "60", "--log", log, "-o", options).returncode == 0

    def processes(self) -> Iterator[psutil.Process]:
        """The postmaster, then all that it has started by the time the next is asked for."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        postmaster = psutil.Process(pid)
        yield postmaster
        yield from postmaster.children(recursive=True)

    def stop(self) -> None:
        self._signal(signal.SIGCONT)  # a stopped process ends only once it goes on
        super().stop()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """For the block the server holds its connections, takes new ones, and does nothing."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if not (self.folder / "data" / "postmaster.pid").exists():
            return
        for process in self.processes():
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:  # it has just ended
                continue

    @contextmanager
    def cut(self) -> Iterator[None]:
        """For the block every packet to and from the far address is lost, and nobody is told."""
        check_cuts()
        rules = [
            ["-p", "tcp", "-d", FAR, "--dport", str(self.port), "-j", "DROP"],
            ["-p", "tcp", "-s", FAR, "--sport", str(self.port), "-j", "DROP"],
        ]
        made = []
        try:
            for rule in rules:
                _iptables("-I", "INPUT", *rule)
                made.append(rule)
            yield
        finally:
            for rule in made:
                _iptables("-D", "INPUT", *rule)


@contextmanager
def far_server() -> Iterator[FarServer]:
    """Runs a new server that the test may cut off or freeze."""
    with postgres.run(FarServer) as running:
        yield running


def check_cuts() -> None:
    """Fails the test, or skips it where that is wanted, unless packets can be dropped here."""
    why = ""
    if shutil.which("iptables") is None:
        why = "There is no iptables here"
    elif (tried := _run("-L", "INPUT", "-n")).returncode != 0:
        why = f"iptables cannot be used here ({tried.stderr.strip().splitlines()[-1:]})"
    if not why:
        return
    sentence = NOT_TESTED.format(why=why)
    if os.environ.get(WANTED) == "if-possible":
        pytest.skip(sentence)
    pytest.fail(sentence, pytrace=False)


def _iptables(*arguments: str) -> None:
    ended = _run(*arguments)
    assert ended.returncode == 0, f"iptables {arguments}: {ended.stderr}"


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    # -w: another test may be changing a rule of its own.
    return subprocess.run(["iptables", "-w", "30", *arguments], capture_output=True, text=True)
