"""The rows of a use case, told apart: whose each is, and whether it is held out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from loop.holdout import is_holdout
from loop.labels import label_text

# frame_rows writes a column's dates as short as loses nothing in any of them: a later row may lengthen all.
_MIDNIGHT = re.compile(r"(?<=^\d{4}-\d\d-\d\d)T00:00:00(\.0+)?$|(?<=T\d\d:\d\d:\d\d)\.0+$")


def identities(
    rows: Sequence[Mapping[str, Any]],
    id_column: str | None,
    prediction_ids: Sequence[str | None] | None = None,
) -> list[str]:
    """Whose each row is: its id as text; where it has none, its prediction's id, else a hash of the row.

    Rows are those of `use_cases.derive.frame_rows`; `prediction_ids` (one a row) are those of production
    rows, for which this is what `runner.store` decides by. Equal reference rows without an id are one
    identity, so that no copy of a training row is held out.
    """
    named = [label_text(row.get(id_column)) if id_column is not None else None for row in rows]
    answered = prediction_ids or [None] * len(rows)
    return [
        name or prediction_id or f"row:{_row_hash(row)}"
        for name, prediction_id, row in zip(named, answered, rows, strict=True)
    ]


def holdout_mask(identities: Sequence[str], share: float, salt: str) -> np.ndarray:
    """bool (rows,): `loop.holdout.is_holdout` of each identity."""
    places = {identity: is_holdout(identity, share, salt) for identity in set(identities)}
    return np.array([places[identity] for identity in identities], dtype=bool)


def _row_hash(row: Mapping[str, Any]) -> str:
    """The same for a row however its frame was read: 3 and 3.0, a day with and without its midnight."""
    values = {str(name): _plain(value) for name, value in row.items()}
    known = {name: value for name, value in values.items() if value is not None}
    text = json.dumps(known, sort_keys=True)  # escapes, so that a lone surrogate is no error
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _plain(value: Any) -> str | None:
    text = label_text(value)
    return None if text is None else _MIDNIGHT.sub("", text)
