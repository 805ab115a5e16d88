"""What is remembered, and for how long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from storage import schema
from storage.database import Database
from tests.homes import Home, up, wait_for

pytestmark = pytest.mark.slow
_YEAR_MS = 365 * 86_400_000


def test_up_prunes_old_predictions_without_feedback_and_keeps_the_labelled(
    trained: Home, row: dict[str, Any], tmp_path: Path
) -> None:
    home = trained.copy(tmp_path)
    with up(home) as server:
        old, labelled, _ = [server.predict(row)[0]["prediction_id"] for _ in range(3)]
        body = {"feedback": [{"prediction_id": labelled, "target": "yes"}]}
        assert server.call("/feedback", body).json["accepted"] == 1
    database = Database.open(home.database_url)
    with database.writing() as connection:
        told = schema.predictions.c
        connection.execute(
            update(schema.predictions)
            .where(told.prediction_id.in_((old, labelled)))
            .values(predicted_at_ms=told.predicted_at_ms - _YEAR_MS)
        )

    def stored() -> set[str]:
        with database.reading() as connection:
            return {i for (i,) in connection.exec_driver_sql("SELECT prediction_id FROM predictions")}

    with up(home):
        wait_for(lambda: old not in stored(), "the old prediction to be pruned")
    assert labelled in stored()
    assert len(stored()) == 2
    database.close()
