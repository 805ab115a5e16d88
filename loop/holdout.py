"""Which rows no version ever trains on: decided by a hash, so that a row's place never changes."""

from __future__ import annotations

from hashlib import blake2b


def is_holdout(identity: str, share: float, salt: str) -> bool:
    """Whether rows of this identity are held out: true for about `share` (0 to 1) of all identities.

    The same in every process, on every machine and in every release. A larger share holds out a superset
    of a smaller one. `salt` (the use case's name) makes the choices of two use cases independent.

    >>> [is_holdout(str(person), 0.2, "visits") for person in range(6)]
    [True, False, False, False, False, False]
    >>> is_holdout("anyone", 0.0, "visits"), is_holdout("anyone", 1.0, "visits")
    (False, True)
    """
    # surrogatepass: JSON may carry a lone surrogate in an id, which plain UTF-8 refuses.
    text = f"{salt}\x00{identity}".encode("utf-8", "surrogatepass")
    # 53 bits, all of which a float holds: the quotient is below 1 and exact.
    place = int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 11
    return place / 2**53 < share
