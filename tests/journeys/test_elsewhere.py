"""Rebento with a token, and with PostgreSQL for a home."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from storage.database import Database
from tests.journeys.conftest import Home, up, wait_for
from tests.storage.postgres import server as postgresql

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


def test_the_whole_journey_runs_on_postgresql_with_two_workers(
    trained: Home, row: Row, tmp_path: Path
) -> None:
    with postgresql() as url:
        home = trained.copy(tmp_path, REBENTO_DATABASE_URL=url)
        home.rebento("train")
        with up(home, workers=2) as server:
            ids = [server.predict(row)[0]["prediction_id"] for _ in range(30)]
            for prediction_id in ids:
                body = {"feedback": [{"prediction_id": prediction_id, "target": "yes"}]}
                assert server.call("/feedback", body).status == 200
            invented = {"feedback": [{"prediction_id": "0" * 36, "target": "yes"}]}
            assert server.call("/feedback", invented).status == 404
            again = {"feedback": [{"prediction_id": ids[0], "target": "no"}]}
            wait_for(
                lambda: server.call("/feedback", again).json["production_rows"] == 30, "all to be joined"
            )
        database = Database.open(url)
        with database.reading() as connection:
            stored = connection.execute(text("SELECT count(*) FROM predictions")).scalar_one()
            in_force = connection.execute(
                text("SELECT count(*) FROM feedback WHERE superseded_at_ms IS NULL")
            ).scalar_one()
        database.close()
        assert (stored, in_force) == (30, 30)
        home.rebento("export", "out")
        assert len((tmp_path / "out" / "prod_data.csv").read_text().splitlines()) == 31
