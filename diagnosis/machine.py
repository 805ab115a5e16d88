"""The machine: libraries, disk, memory, ports."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import socket
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

import psutil
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from diagnosis.finding import Finding

#: A Bento with a forest takes 60 MB, the log of a million answers about 1 GB.
LEAST_FREE_BYTES = 500_000_000
_FEW_FREE_BYTES = 5_000_000_000
#: A training of the embedded use case peaks below this.
_LITTLE_MEMORY_BYTES = 1_000_000_000
_ALWAYS = ("", "cli")
#: What is there where this one library is: a host that serves needs none of them.
_PARTS = {
    "training": "skl2onnx",
    "web": "itsdangerous",
    "reporting": "evidently",
    "grafana": "grafana-client",
}


def libraries(distribution: str = "rebento") -> Iterator[Finding]:
    """Whether what is installed is what Rebento was made for."""
    wrong = []
    absent = [part for part, library in _PARTS.items() if not _is_installed(library)]
    wanted_extras = [*_ALWAYS, *(part for part in _PARTS if part not in absent)]
    python = metadata(distribution)["Requires-Python"] or ""
    if not SpecifierSet(python).contains(platform.python_version(), prereleases=True):
        wrong.append(f"Python {platform.python_version()} is not {python}")
    for line in requires(distribution) or []:
        wanted = Requirement(line)
        if wanted.marker is not None and not any(
            wanted.marker.evaluate({"extra": extra}) for extra in wanted_extras
        ):
            continue
        try:
            there = version(wanted.name)
        except PackageNotFoundError:
            wrong.append(f"{wanted.name} is not installed")
            continue
        if not wanted.specifier.contains(there, prereleases=True):
            wrong.append(f"{wanted.name} {there} is not {wanted.specifier}")
    if wrong:
        advice = (
            "make the environment anew from the lock file: `make clean`, then `make run`; in a container "
            "build the image anew"
        )
        yield Finding("libraries", "failing", "; ".join(wrong), advice)
    else:
        said = f"Rebento {version(distribution)} on Python {platform.python_version()}"
        yield Finding("libraries", "well", f"{said}, without {', '.join(absent)}" if absent else said)


def _is_installed(library: str) -> bool:
    try:
        version(library)
    except PackageNotFoundError:
        return False
    return True


def disk(home: Path) -> Iterator[Finding]:
    """Whether the home can be written, and how much room it has."""
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        advice = "give it to the user that runs Rebento, or set REBENTO_HOME to another folder"
        yield Finding("disk", "failing", f"{there} cannot be written by this user", advice)
        return
    usage = shutil.disk_usage(there)
    said = f"{_gigabytes(usage.free)} of {_gigabytes(usage.total)} are free under {home}"
    if usage.free < LEAST_FREE_BYTES:
        advice = (
            "free some now: answers go on but are not stored on a full disk; `rebento prune` removes old ones"
        )
        yield Finding("disk", "failing", said, advice)
    elif usage.free < _FEW_FREE_BYTES:
        advice = "plan for more; `rebento prune` removes what the policy keeps no longer"
        yield Finding("disk", "look", said, advice)
    else:
        yield Finding("disk", "well", said)


def memory() -> Iterator[Finding]:
    """Whether a training would find room."""
    free = psutil.virtual_memory().available
    said = f"{_gigabytes(free)} are available"
    if free < _LITTLE_MEMORY_BYTES:
        yield Finding("memory", "look", said, "stop something else: a training or a report may need 1 GB")
    else:
        yield Finding("memory", "well", said)


def port(
    host: str, number: int, what: str, variable: str, supervisor: int | None, *, is_beginning: bool = False
) -> Finding:
    """Whether a port is held by the service that should hold it, by a stranger, or by nobody.

    `supervisor`: the process id of the one that says it runs here; None: none does. `is_beginning`: what it
    starts may be loading yet.
    """
    subject = f"port {number}"
    wrong = _binding(host, number)
    if wrong == errno.EACCES:
        advice = f"set {variable} to a port from 1024 on"
        return Finding(subject, "failing", f"this user may not listen on it for {what}", advice)
    if wrong not in (0, errno.EADDRINUSE):
        advice = "set REBENTO_HOST to an address of this machine"
        return Finding(subject, "failing", f"{host} is no address of this machine", advice)
    if wrong == 0:
        if supervisor is None:
            return Finding(subject, "well", f"free for {what}")
        if is_beginning:
            said = f"nobody listens for {what} yet; the service began within the last minute"
            return Finding(subject, "look", said, "ask again in a minute")
        advice = "look at what `rebento up` prints: it is started again by itself"
        return Finding(subject, "failing", f"nobody listens for {what} though `rebento up` runs", advice)
    holders = _holders(number)
    if supervisor is not None and (not holders or holders & _family(supervisor)):
        return Finding(subject, "well", f"held by {what}")
    named = ", ".join(sorted(_named(pid) for pid in holders)) or "another user's process"
    advice = f"stop it, or set {variable} to another port"
    return Finding(subject, "failing", f"{named} listens where {what} should", advice)


def _binding(host: str, number: int) -> int:
    """The system's error number for listening there; 0: it may be done, -1: the address is unknown."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except socket.gaierror:
            return -1
        except OSError as error:
            return error.errno or -1
    return 0


def _holders(number: int) -> set[int]:
    """Process ids that listen on the port, as far as this user may see them."""
    try:
        found = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return set()
    return {
        one.pid
        for one in found
        if one.status == psutil.CONN_LISTEN and one.laddr.port == number and one.pid is not None
    }


def _family(pid: int) -> set[int]:
    try:
        return {pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))}
    except psutil.NoSuchProcess:
        return set()


def _named(pid: int) -> str:
    try:
        return f"{psutil.Process(pid).name()} (process {pid})"
    except psutil.NoSuchProcess:
        return f"process {pid}"


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
