"""PostgreSQL for a home: a connection that is lost, and several hosts that share one database."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from storage.database import Database
from storage.runs import runs
from tests.databases import only_on_sqlite
from tests.homes import Home, Server, up, wait_for
from tests.journeys.command_line import stored_and_joined
from tests.storage.postgres import restartable
from tests.storage.postgres import server as postgresql

# On servers of their own, that they stop.
pytestmark = [pytest.mark.slow, only_on_sqlite, pytest.mark.timeout(600)]
Row = dict[str, Any]


def _tell(server: Server, prediction_id: str, target: str = "yes") -> Any:
    return server.call("/feedback", {"feedback": [{"prediction_id": prediction_id, "target": target}]})


def test_a_lost_connection_costs_no_answer_and_no_acknowledged_feedback(
    trained: Home, row: Row, tmp_path: Path
) -> None:
    with restartable() as postgres:
        home = trained.copy(tmp_path, REBENTO_DATABASE_URL=postgres.url)
        home.rebento("train")
        with up(home, workers=2) as server:
            early = [server.predict(row)[0]["prediction_id"] for _ in range(20)]
            assert [_tell(server, one).status for one in early[:10]] == [200] * 10
            postgres.stop()
            during = [server.predict(row)[0]["prediction_id"] for _ in range(40)]
            refused = _tell(server, early[10])
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
            assert "again" in refused.json["error"]
            assert postgres.start()
            wait_for(lambda: _tell(server, early[10]).status == 200, "feedback to be taken again")
            wait_for(lambda: server.metric("prediction_log_waiting_rows") == 0, "the log to catch up")
            assert [_tell(server, one).status for one in during] == [200] * 40
            assert server.metric("prediction_log_lost_total") == 0
        assert stored_and_joined(postgres.url) == (60, 51)


def test_hosts_that_share_a_database_ask_once_for_each_multiple_and_do_each_run_once(
    trained: Home, row: Row, tmp_path: Path
) -> None:
    with postgresql() as url:
        one = trained.copy(tmp_path / "one", REBENTO_DATABASE_URL=url)
        case = one.folder / "use_cases" / "small" / "use_case.yaml"
        case.write_text(case.read_text().replace("_training: 1000", "_training: 100, cooldown_minutes: 0"))
        one.rebento("train")
        # Another machine, with the same Bentos.
        two = one.copy(tmp_path / "two", REBENTO_DATABASE_URL=url)
        with up(one) as first, up(two) as second:
            ids = [answer["prediction_id"] for _ in range(12) for answer in first.predict(*[row] * 25)]
            barrier = threading.Barrier(6)

            def send(worker: int) -> list[int]:
                barrier.wait()
                to = (first, second)[worker % 2]
                return [_tell(to, one).status for one in ids[worker::6]]

            with ThreadPoolExecutor(6) as pool:
                statuses = [status for answers in pool.map(send, range(6)) for status in answers]
            assert statuses == [200] * 300
            database = Database.open(url)

            def asked() -> list[Any]:
                with database.reading() as connection:
                    return [run for run in runs(connection, "small") if run.trigger == "feedback"]

            def have_ended() -> bool:
                states = [run.state for run in asked()]
                return len(states) >= 3 and set(states) <= {"built", "failed", "superseded"}

            # The last true answers may have come before their predictions were stored.
            wait_for(have_ended, "the runs to end", seconds=400)
            found = asked()
            database.close()
        reasons = sorted(run.reason for run in found)
        assert reasons == sorted(f"{k} labelled production rows, a multiple of 100" for k in (100, 200, 300))
        done = [run for run in found if run.state != "superseded"]
        assert done and all(run.attempts == 0 for run in done), found  # nobody's run was taken up by another
        assert all(run.state == "built" for run in done), found
