"""Rows for the storage tests, and processes that write them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from storage.database import Database
from storage.feedback import Feedback, FeedbackReceipt, record_feedback
from storage.labelled import labelled_rows, settled_instant
from storage.predictions import Prediction, record_predictions

ROOT = Path(__file__).resolve().parents[2]
USE_CASE = "visits"


def prediction(
    name: str, *, at_ms: int = 1_000, use_case: str = USE_CASE, entity_id: str | None = None
) -> Prediction:
    """A prediction with this id."""
    return Prediction(
        prediction_id=name,
        use_case=use_case,
        bento=f"{use_case}:1",
        predicted_at_ms=at_ms,
        row_json='{"income": 12.5, "city": "Évora 😀"}',
        vector=np.array([0.5, -1.25], dtype="<f4").tobytes(),
        label="yes",
        probabilities_json='{"no": 0.25, "yes": 0.75}',
        confidence=0.75,
        entity_id=entity_id,
        event_time="2024-01-31",
        origin="request",
        is_holdout=False,
    )


def truth(
    name: str,
    target: str = "yes",
    *,
    at_ms: int = 2_000,
    key: str | None = None,
    whole: Prediction | None = None,
    source: str | None = "clinic",
) -> Feedback:
    """A true answer to the prediction with this id."""
    return Feedback(name, target, source, key, at_ms, whole)


def log(database: Database, *names: str, k: int = 1_000, at_ms: int = 1_000) -> int:
    """Stores predictions with these ids."""
    with database.writing(durable=False) as connection:
        return record_predictions(connection, [prediction(name, at_ms=at_ms) for name in names], k)


def tell(database: Database, *items: Feedback, k: int = 1_000) -> FeedbackReceipt:
    """Stores feedback in a transaction of its own."""
    with database.writing() as connection:
        return record_feedback(connection, USE_CASE, items, k)


def labelled(database: Database, as_of_ms: int | None = None) -> list[tuple[str, str, int]]:
    """The labelled rows as (prediction id, target, known at)."""
    with database.reading() as connection:
        rows = labelled_rows(connection, USE_CASE, as_of_ms=as_of_ms, batch=2)
        return [(row.prediction.prediction_id, row.target, row.known_at_ms) for row in rows]


def settled(database: Database) -> int:
    """An instant of which nothing new can be told."""
    with database.writing() as connection:
        return settled_instant(connection, USE_CASE)


def writer(*arguments: str) -> subprocess.Popen[str]:
    """A process of its own that runs `tests.storage.writers`."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.storage.writers", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def finished(*processes: subprocess.Popen[str]) -> list[str]:
    """What the processes wrote, once all have ended well."""
    try:
        outputs = [process.communicate(timeout=240)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * len(processes)
    return outputs


def released_together(*processes: subprocess.Popen[str]) -> list[str]:
    """Lets processes that wait for it begin at one moment; what they wrote, once all have ended well."""
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return finished(*processes)
