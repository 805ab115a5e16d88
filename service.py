"""The Runner: predict, explain, feedback, metrics. All that BentoML loads."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import sys
from pathlib import Path
from typing import Any

import bentoml
from bentoml.models import BentoModel
from pydantic import BaseModel, Field

from loop.refusals import BrokenPackage
from monitoring.metrics import FLUSH_SECONDS, ServiceMetrics
from runner import posture
from runner.engine import Engine, FeedbackCall, Limits
from runner.http import Desk, HotRoutes
from runner.ids import PredictionIds
from runner.journal import Journal
from runner.package import Package
from runner.store import Store
from runner.worker import CANNOT_SERVE
from settings import read_settings
from storage.database import HURRIED_SECONDS, Database

log = logging.getLogger("rebento.service")


class Arguments(BaseModel):
    """Fixed when a Bento is built, and kept in its bento.yaml."""

    model: str = Field(description="exact tag of the model: never latest, or an old Bento serves a new model")


arguments = bentoml.use_arguments(Arguments)
# A bare `bentoml serve` runs inside the immutable Bento, where nothing may be written.
settings = read_settings(default_home=Path.home() / ".rebento", is_stored_bento=True)
metrics = ServiceMetrics()
desk = Desk(
    token=settings.api_token,
    answered=metrics.answered,
    flush=metrics.flush,
    flush_seconds=FLUSH_SECONDS,
    metrics=lambda: (metrics.text(), metrics.content_type),
)
metrics.in_flight_now = lambda: desk.in_flight


class PredictAnswer(BaseModel):
    """The answer to /predict."""

    bento: str
    predictions: list[dict[str, Any]]


class ExplainAnswer(BaseModel):
    """The answer to /explain."""

    bento: str
    explanations: list[dict[str, Any]]


class FeedbackAnswer(BaseModel):
    """The answer to /feedback."""

    accepted: int
    pending: int
    production_rows: int
    training_run: str | None


def open_package(folder: Path) -> Package:
    """The package, its golden rows checked. Ends the process with one line where it cannot serve here."""
    try:
        package = Package.open(folder)
        rows = package.check_golden_rows()
    except BrokenPackage as broken:
        # A traceback would bury the sentence, and a restart would only repeat it.
        print(f"rebento: {broken}", file=sys.stderr, flush=True)
        os._exit(CANNOT_SERVE)
    log.info("golden rows answered as built bento=%s rows=%d", package.info.bento, rows)
    return package


def settle() -> None:
    """Makes this process a server: what is loaded stays, and answers come before the log's thread."""
    # Without this each full collection walks what BentoML imported, 300,000 objects, 50 ms.
    gc.collect()
    gc.freeze()
    # Reading a forest's graph takes several times the memory that it keeps: glibc gives it back when asked.
    with contextlib.suppress(AttributeError):  # another C library has no such call
        ctypes.CDLL(None).malloc_trim(0)
    # Requests make no cycles to speak of: look for them seldom.
    gc.set_threshold(50_000, 20, 20)
    # The log's thread must not keep the event loop waiting for the usual 5 ms a turn.
    sys.setswitchinterval(0.0005)


@bentoml.service(
    workers=settings.workers,
    traffic={"timeout": 60},
    metrics={"enabled": False},  # ours have bounded labels
    tracing={"excluded_urls": "/predict,/explain,/feedback,/metrics,/livez,/readyz"},
    logging={"access": {"enabled": False}},
)
class Runner:
    """Answers rows with predictions, and takes the true answers back."""

    model = BentoModel(arguments.model)

    def __init__(self) -> None:
        package = open_package(Path(str(self.model.path)))
        info = package.info
        database = Database.open(settings.database, longest_silence_seconds=HURRIED_SECONDS)
        database.migrate()
        self._database = database
        self._journal: Journal[FeedbackCall, dict[str, Any]] = Journal(
            Store(database, info, metrics).write,
            queue_rows=settings.log_queue_rows,
            commit_seconds=settings.log_commit_milliseconds / 1000,
            lost=metrics.log_lost.inc,
            waiting=metrics.log_waiting.set,
        )
        self._engine = Engine(
            package,
            PredictionIds(database.secret("prediction_ids"), info.use_case),
            self._journal,
            Limits(settings.max_rows, settings.max_body_bytes, settings.max_explain_rows),
            metrics.predicted,
        )
        posture.hear(lambda accepts: metrics.serves(info.bento, info.model, accepts))
        settle()
        desk.open(self._engine)

    @bentoml.api(route="/predict")
    def predict(self, rows: list[dict[str, Any]]) -> PredictAnswer:
        """A prediction for each row, with its probabilities and a prediction_id for feedback."""
        return PredictAnswer(**self._engine.predict(rows))

    @bentoml.api(route="/explain")
    def explain(self, rows: list[dict[str, Any]]) -> ExplainAnswer:
        """The columns that moved each answer most, against the values typical of the training rows."""
        return ExplainAnswer(**self._engine.explain(rows))

    @bentoml.api(route="/feedback")
    def feedback(self, feedback: list[dict[str, Any]]) -> FeedbackAnswer:
        """Takes the true answers; they are durable once this answers."""
        return FeedbackAnswer(**self._engine.feedback(feedback).result())

    @bentoml.on_shutdown
    def close(self) -> None:
        """Stores what waits; what cannot be stored within ten seconds is counted in the log."""
        self._journal.close()
        self._database.close()


Runner.add_asgi_middleware(HotRoutes, desk=desk)
