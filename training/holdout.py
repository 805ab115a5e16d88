"""The rows of a use case, told apart: whose each is, and whether it is held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import orjson

from loop.holdout import is_holdout
from loop.labels import label_text


def identities(rows: Sequence[Mapping[str, Any]], id_column: str | None) -> list[str]:
    """Whose each row is: its id as text; where it has none, a hash of the row itself.

    Rows are those of `use_cases.derive.frame_rows`. Equal rows without an id are one identity, so that no
    copy of a training row is held out.
    """
    named = [label_text(row.get(id_column)) if id_column is not None else None for row in rows]
    return [
        f"row:{_row_hash(row)}" if name is None else name for name, row in zip(named, rows, strict=True)
    ]


def holdout_mask(identities: Sequence[str], share: float, salt: str) -> np.ndarray:
    """bool (rows,): `loop.holdout.is_holdout` of each identity."""
    places = {identity: is_holdout(identity, share, salt) for identity in set(identities)}
    return np.array([places[identity] for identity in identities], dtype=bool)


def _row_hash(row: Mapping[str, Any]) -> str:
    text = orjson.dumps(row, option=orjson.OPT_SORT_KEYS, default=str)
    return blake2b(text, digest_size=16).hexdigest()
