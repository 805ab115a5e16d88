"""The listening socket that every worker inherits."""

from __future__ import annotations

import ctypes
import logging
import os
import socket
import struct
from pathlib import Path

from loop.refusals import Refusal

log = logging.getLogger("rebento.supervisor")

#: Longest queue of connections that nobody has accepted yet.
_BACKLOG = 2048
_LISTENING = "0A"
# Linux's numbers; Python names neither.
_SO_ATTACH_REUSEPORT_CBPF = 51
_RETURN_CONSTANT = 0x06


class PortTaken(Refusal):
    """Something else listens on the port."""


def listen(host: str, port: int, *, beside_orphans: bool = False) -> socket.socket:
    """A socket bound to host and port. Raises PortTaken with what to do.

    Beside orphans (workers that a killed supervisor of this home left on the port) it is bound, but does not
    listen yet: connections go to those who accept until the first new worker listens on it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if not beside_orphans:
            _refuse_strangers(family, host, port)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        if not beside_orphans:
            listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"port {port} on {host} cannot be had ({error.strerror}): stop what listens there, or set "
            "REBENTO_API_PORT to another"
        ) from error
    listener.set_inheritable(True)
    return listener


def steer_to_newest(listener: socket.socket) -> bool:
    """Whether all new connections now come to the socket that listened last, and none to its elders.

    Without it the kernel deals connections out among the sockets of a port, and those that wait in a socket
    that closes are reset. The program is one instruction, "the socket number N" (socket(7)); an answer that
    means no socket makes the kernel deal them out as before. Linux only.
    """
    try:
        elders = len(_elders(listener))
        program = ctypes.create_string_buffer(struct.pack("HBBI", _RETURN_CONSTANT, 0, 0, elders))
        filter_of_one = struct.pack("HxxxxxxQ", 1, ctypes.addressof(program))
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, filter_of_one)
    except OSError as error:
        log.warning("new connections may still go to the workers that leave: %s", error)
        return False
    return True


def waiting_at_elders(listener: socket.socket) -> int:
    """How many connections nobody has accepted from the port's elder sockets; 0 where that cannot be seen."""
    try:
        return sum(int(entry[4].rpartition(":")[2], 16) for entry in _elders(listener))
    except OSError:
        return 0


def _elders(listener: socket.socket) -> list[list[str]]:
    """The kernel's entries of the other sockets that listen on the port (proc_net_tcp); of such a socket the
    receive queue is its connections that nobody has accepted."""
    port, own = listener.getsockname()[1], str(os.fstat(listener.fileno()).st_ino)
    table = Path("/proc/net/tcp6" if listener.family == socket.AF_INET6 else "/proc/net/tcp")
    entries = [line.split() for line in table.read_text().splitlines()[1:]]
    return [
        entry
        for entry in entries
        if entry[3] == _LISTENING and int(entry[1].rpartition(":")[2], 16) == port and entry[9] != own
    ]


def _refuse_strangers(family: socket.AddressFamily, host: str, port: int) -> None:
    # Without SO_REUSEPORT: with it a stranger who set it as well would share the port unnoticed.
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
