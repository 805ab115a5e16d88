"""Rows that came through a service: answered, logged and labelled, as storage has them."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import pandas as pd

from loop.holdout import is_holdout
from storage.database import Database
from storage.feedback import Feedback, record_feedback
from storage.predictions import Prediction, record_predictions
from training.snapshot import storable
from use_cases.derive import derive_contract, frame_rows
from use_cases.use_case import UseCase

SECOND = 1_000
K = 10**9
"""So many that no training is asked for."""


def sent_rows(use_case: UseCase, frame: pd.DataFrame) -> list[dict[str, object]]:
    """The rows as a caller would send them."""
    rows = storable(frame)
    return frame_rows(derive_contract(use_case, rows), rows)


def stream(
    database: Database,
    use_case: UseCase,
    frame: pd.DataFrame,
    *,
    at_ms: int,
    name: str = "p",
    batch: int = 50,
    sources: Sequence[str | None] = (None,),
) -> list[str]:
    """Predictions `p0`, `p1`, … of the frame's rows with their true answers, a batch a second; their ids."""
    targets = frame[use_case.target].tolist()
    ids = []
    rows = sent_rows(use_case, frame)
    for start in range(0, len(rows), batch):
        now_ms = at_ms + start // batch * SECOND
        predictions, told = [], []
        for i in range(start, min(start + batch, len(rows))):
            prediction_id = f"{name}{i}"
            entity = rows[i].get(use_case.id or "")
            predictions.append(
                Prediction(
                    prediction_id=prediction_id,
                    use_case=use_case.name,
                    bento=f"{use_case.name}:old",
                    predicted_at_ms=now_ms,
                    row_json=orjson.dumps(rows[i]).decode(),
                    vector=b"",
                    label=targets[i],
                    probabilities_json="{}",
                    confidence=0.5,
                    entity_id=None if entity is None else str(entity),
                    event_time=None,
                    origin="request",
                    is_holdout=is_holdout(str(entity or prediction_id), use_case.holdout, use_case.name),
                )
            )
            source = sources[i % len(sources)]
            told.append(Feedback(prediction_id, targets[i], source, None, now_ms, None))
            ids.append(prediction_id)
        with database.writing(durable=False) as connection:
            record_predictions(connection, predictions, K)
            record_feedback(connection, use_case.name, told, K)
    return ids


def correct(database: Database, use_case: UseCase, prediction_id: str, target: str, *, at_ms: int) -> None:
    """Another true answer to a prediction that had one."""
    with database.writing() as connection:
        told = [Feedback(prediction_id, target, None, None, at_ms, None)]
        record_feedback(connection, use_case.name, told, K)
