"""By which names a process without a login of its own may be called.

A page of a stranger can make its own name point at this machine (DNS rebinding), and would then read the
answers as its own. It cannot send another name than its own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class HostNames:
    """Names that are ours: loopback's always, and those given; any address where `any_address` says so."""

    names: frozenset[str] = frozenset()
    any_address: bool = False
    """Bound beyond this machine: its address may be any."""

    @classmethod
    def where_bound(cls, host: str, more: Iterable[str], of_machine: Iterable[str]) -> HostNames:
        """Of a process bound at `host`, with the names that a person allowed; the machine's own names count
        where others can reach it."""
        names = {name.lower() for name in more if name}
        try:
            is_loopback = ipaddress.ip_address(host).is_loopback
        except ValueError:
            is_loopback = host == "localhost"
            names.add(host.lower())
        if not is_loopback:
            names |= {name.lower() for name in of_machine}
        return cls(frozenset(names), not is_loopback)

    def has(self, header: str) -> bool:
        """Whether a request with this Host header is meant for us.

        >>> HostNames(frozenset({"churn.example"})).has("churn.example:8081")
        True
        >>> HostNames().has("localhost:8081"), HostNames().has("evil.example"), HostNames().has("10.0.0.1")
        (True, False, False)
        """
        try:
            name = (urlsplit(f"//{header}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if name in self.names or name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or self.any_address
