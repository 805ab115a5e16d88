"""Rebento with a token, and what becomes of all that several workers were told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func

from storage import schema
from tests.homes import Home, up, wait_for
from tests.journeys.command_line import column

pytestmark = pytest.mark.slow
Row = dict[str, Any]


def test_with_a_token_calls_need_it_and_probes_stay_open(trained: Home, row: Row, tmp_path: Path) -> None:
    home = trained.copy(tmp_path, REBENTO_API_TOKEN="a secret")
    with up(home) as server:
        body = {"rows": [row]}
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "a secret"}):
            refused = server.call("/predict", body, headers=headers)
            assert refused.status == 401
            assert refused.headers["www-authenticate"] == "Bearer"
            assert set(refused.json) == {"error", "detail", "missing_features"}
        assert server.call("/predict", body, headers={"authorization": "Bearer a secret"}).status == 200
        for path in ("/metrics", "/livez", "/readyz"):
            assert server.call(path).status == 200
        assert "a secret" not in server.log.read_text()


def test_what_two_workers_were_told_is_all_there_and_is_exported(
    trained: Home, row: Row, tmp_path: Path
) -> None:
    home = trained.copy(tmp_path)
    with up(home, workers=2) as server:
        ids = [server.predict(row)[0]["prediction_id"] for _ in range(30)]
        for prediction_id in ids:
            body = {"feedback": [{"prediction_id": prediction_id, "target": "yes"}]}
            assert server.call("/feedback", body).status == 200
        again = {"feedback": [{"prediction_id": ids[0], "target": "no"}]}
        wait_for(lambda: server.call("/feedback", again).json["production_rows"] == 30, "all to be joined")
    assert column(home, func.count(schema.predictions.c.prediction_id)) == [30]
    in_force = schema.feedback.c.superseded_at_ms.is_(None)
    assert column(home, func.count(schema.feedback.c.feedback_id), in_force) == [30]
    home.rebento("export", "out")
    assert len((tmp_path / "out" / "prod_data.csv").read_text().splitlines()) == 31
