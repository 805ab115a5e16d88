"""What the engine hands over, written in the words of the tables."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

import orjson

from loop.holdout import is_holdout
from runner.feedback import FeedbackCall
from runner.ids import made_at_ms
from runner.journal import PredictionBatch
from runner.package import PackageInfo
from storage.database import Database
from storage.feedback import Feedback, FeedbackReceipt, record_feedback
from storage.predictions import Prediction, record_predictions


class Measures(Protocol):
    """Who counts what is stored."""

    def fed_back(self, outcome: str, count: int) -> None:
        """So many true answers were taken: 'joined', 'pending' or 'whole'."""

    def delayed(self, seconds: float) -> None:
        """A true answer came so long after its prediction."""

    def wrote(self, outcome: str, seconds: float) -> None:
        """A transaction took so long, and was 'stored' or 'refused'."""


class Unmeasured:
    """Nobody counts."""

    def fed_back(self, outcome: str, count: int) -> None: ...

    def delayed(self, seconds: float) -> None: ...

    def wrote(self, outcome: str, seconds: float) -> None: ...


class Store:
    """Writes what the engine hands over, in the words of the tables."""

    def __init__(self, database: Database, info: PackageInfo, measures: Measures) -> None:
        self._database = database
        self._info = info
        self._measures = measures

    def write(
        self, batches: Sequence[PredictionBatch], calls: Sequence[FeedbackCall]
    ) -> list[dict[str, Any]]:
        """Stores answers and feedback in one transaction, durable where there is feedback."""
        started = time.perf_counter()
        outcome = "refused"
        try:
            receipts = self._write(batches, calls)
            outcome = "stored"
        finally:
            self._measures.wrote(outcome, time.perf_counter() - started)
        for call, receipt in zip(calls, receipts, strict=True):
            whole = len(call.whole.ids) if call.whole else 0
            self._measures.fed_back("whole", whole)
            self._measures.fed_back("pending", receipt.pending)
            self._measures.fed_back("joined", receipt.accepted - receipt.pending - whole)
            for item in call.items:
                if item.position is None:
                    self._measures.delayed((call.received_at_ms - made_at_ms(item.prediction_id)) / 1000)
        return [
            {
                "accepted": receipt.accepted,
                "pending": receipt.pending,
                "production_rows": receipt.production_rows,
                "training_run": receipt.training_run,
            }
            for receipt in receipts
        ]

    def _write(
        self, batches: Sequence[PredictionBatch], calls: Sequence[FeedbackCall]
    ) -> list[FeedbackReceipt]:
        predictions = [row for batch in batches for row in self._predictions(batch, "request")]
        with self._database.writing(durable=bool(calls)) as connection:
            if predictions:
                record_predictions(connection, predictions, self._info.k)
            return [
                record_feedback(connection, self._info.use_case, self._feedback(call), self._info.k)
                for call in calls
            ]

    def _predictions(self, batch: PredictionBatch, origin: str) -> list[Prediction]:
        info = self._info
        return [
            Prediction(
                prediction_id=prediction_id,
                use_case=info.use_case,
                bento=info.bento,
                predicted_at_ms=batch.predicted_at_ms,
                row_json=orjson.dumps(batch.rows[i]).decode(),
                vector=batch.vectors[i].tobytes(),
                label=batch.labels[i],
                probabilities_json=orjson.dumps(batch.probabilities[i]).decode(),
                confidence=batch.confidences[i],
                entity_id=batch.entity_ids[i],
                event_time=batch.event_times[i],
                origin=origin,
                is_holdout=is_holdout(batch.entity_ids[i] or prediction_id, info.holdout, info.use_case),
            )
            for i, prediction_id in enumerate(batch.ids)
        ]

    def _feedback(self, call: FeedbackCall) -> list[Feedback]:
        whole = self._predictions(call.whole, "feedback") if call.whole else []
        return [
            Feedback(
                prediction_id=item.prediction_id,
                target=item.target,
                source=item.source,
                key=item.key,
                received_at_ms=call.received_at_ms,
                prediction=None if item.position is None else whole[item.position],
            )
            for item in call.items
        ]
