"""Prediction ids that any worker recognises as its installation's own, without a look-up."""

from __future__ import annotations

import hmac
import os
import random
from hashlib import blake2b

from loop.clock import now_ms

_BODY_BYTES = 12  # 6 of time in milliseconds, so that ids sort by age; 6 random
_SIGNATURE_BYTES = 6
_LENGTH = 2 * (_BODY_BYTES + _SIGNATURE_BYTES)


class PredictionIds:
    """Makes and recognises ids signed with the installation's key (36 hexadecimal characters)."""

    def __init__(self, key: bytes, use_case: str) -> None:
        # A key of its own for each use case: an id of one is no id of another.
        self._key = blake2b(use_case.encode(), key=key, digest_size=32).digest()
        self._bits = random.Random(os.urandom(32)).getrandbits

    def new(self) -> str:
        # The signature keeps invented ids out; these bits only keep ids of one millisecond apart.
        body = now_ms().to_bytes(6, "big") + self._bits(48).to_bytes(6, "big")
        return (body + self._sign(body)).hex()

    def knows(self, prediction_id: object) -> bool:
        """Whether an id was given out by this installation for this use case."""
        if not isinstance(prediction_id, str) or len(prediction_id) != _LENGTH:
            return False
        try:
            raw = bytes.fromhex(prediction_id)
        except ValueError:
            return False
        # fromhex skips blanks and takes capitals: only the very text that `new` gave is an id.
        if raw.hex() != prediction_id:
            return False
        return hmac.compare_digest(self._sign(raw[:_BODY_BYTES]), raw[_BODY_BYTES:])

    def _sign(self, body: bytes) -> bytes:
        return blake2b(body, key=self._key, digest_size=_SIGNATURE_BYTES).digest()


def made_at_ms(prediction_id: str) -> int:
    """When an id was given out, milliseconds UTC."""
    return int(prediction_id[:12], 16)
