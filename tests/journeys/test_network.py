"""The network to PostgreSQL loses every packet, or its server stands still: nobody waits for ever."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.databases import only_on_sqlite
from tests.homes import Answer, Home, Server, ask, free_port, up, wait_for
from tests.journeys import trainers
from tests.journeys.command_line import stored_and_joined
from tests.network import FarServer, check_cuts, far_server

# On servers of their own, that they cut off.
pytestmark = [pytest.mark.slow, only_on_sqlite, pytest.mark.timeout(900)]
Row = dict[str, Any]

#: Above what is promised (15 s for feedback, 20 s for the rest): the machine may be busy.
BOUND_SECONDS = 60.0
#: An answer that waited for the database would take the 12 s after which a silent one is given up.
ANSWER_SECONDS = 10.0
QUEUE_ROWS = 2_000


@pytest.fixture
def far() -> Iterator[FarServer]:
    with far_server() as running:
        yield running


@pytest.fixture(params=["cut", "frozen"])
def trouble(request: pytest.FixtureRequest, far: FarServer) -> Callable[[], AbstractContextManager[None]]:
    if request.param == "frozen":
        return far.frozen
    check_cuts()
    return far.cut


def tell(server: Server, *prediction_ids: str) -> Answer:
    return server.call(
        "/feedback", {"feedback": [{"prediction_id": p, "target": "yes"} for p in prediction_ids]}
    )


def seconds_of(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.monotonic()
    return work(), time.monotonic() - began


def test_a_database_that_is_silent_keeps_nobody_waiting_and_costs_nothing_acknowledged(
    trained: Home,
    row: Row,
    far: FarServer,
    trouble: Callable[[], AbstractContextManager[None]],
    tmp_path: Path,
) -> None:
    pages = f"http://127.0.0.1:{free_port()}"
    extra = {"REBENTO_DATABASE_URL": far.far_url, "REBENTO_LOG_QUEUE_ROWS": str(QUEUE_ROWS)}
    home = trained.copy(tmp_path, REBENTO_WEB_PORT=pages.rpartition(":")[2], **extra)
    home.rebento("train")
    with up(home) as server:
        early = [server.predict(row)[0]["prediction_id"] for _ in range(20)]
        assert tell(server, *early[:10]).status == 200
        wait_for(lambda: _shows(pages), "the pages")
        during = _while_silent(server, pages, row, early, trouble)
        wait_for(
            lambda: server.metric("prediction_log_waiting_rows") == 0, "the log to catch up", BOUND_SECONDS
        )
        wait_for(lambda: tell(server, *early[10:13]).status == 200, "feedback to be taken again")
        told = tell(server, *during)
        assert (told.status, told.json["pending"]) == (200, 0)
        assert told.json["production_rows"] == 13 + len(during), "what was sent again counts once"
        assert server.metric("prediction_log_lost_total") == QUEUE_ROWS + 1
        assert _shows(pages)
        with trouble():
            server.predict(*[row] * 5)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(150) == 0
        said = server.log.read_text()
        assert re.search(r"predictions lost at stop, .* rows=5\b", said), said
        assert "Traceback" not in said, said
    assert stored_and_joined(far.url) == (20 + len(during), 13 + len(during))


def _while_silent(
    server: Server,
    pages: str,
    row: Row,
    early: list[str],
    trouble: Callable[[], AbstractContextManager[None]],
) -> list[str]:
    """What everybody sees meanwhile; the ids of what was answered and is to be stored later."""
    during: list[str] = []
    with trouble(), ThreadPoolExecutor(5) as pool:
        told = [pool.submit(seconds_of, lambda p=p: tell(server, p)) for p in early[10:13]]
        page = pool.submit(seconds_of, lambda: ask(pages, "/"))
        versions = pool.submit(seconds_of, lambda: server.home.rebento("versions", check=False))
        waiting = [*told, page, versions]
        while not all(one.done() for one in waiting) or not during:
            (answers, seconds) = seconds_of(lambda: server.predict(row))
            assert seconds < ANSWER_SECONDS, "answers go on"
            during += [answer["prediction_id"] for answer in answers]
            time.sleep(0.05)  # fewer than may wait
        for one in told:
            answer, seconds = one.result()
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert "again later" in answer.json["error"] and seconds < BOUND_SECONDS
        shown, seconds = page.result()
        assert shown.status == 503 and b"database cannot be" in shown.body and seconds < BOUND_SECONDS
        refused, seconds = versions.result()
        assert refused.returncode == 1 and "REBENTO_DATABASE_URL" in refused.stderr
        assert len(refused.stderr.strip().splitlines()) == 1 and seconds < BOUND_SECONDS
        assert server.call("/readyz").status == 200
        server.predict(*[row] * (QUEUE_ROWS + 1))  # more than may wait: answered, and counted as not logged
        # And later on, once everybody knows.
        answer, seconds = seconds_of(lambda: tell(server, early[10]))
        assert answer.status == 503 and seconds < BOUND_SECONDS
    return during


def _shows(pages: str) -> bool:
    try:
        return ask(pages, "/").status == 200
    except OSError:
        return False


def test_a_trainer_that_is_cut_off_within_a_run_does_it_again_and_leaves_nothing_half_done(
    trained: Home, far: FarServer, tmp_path: Path
) -> None:
    check_cuts()
    home = trained.copy(tmp_path, REBENTO_DATABASE_URL=far.far_url)
    home.rebento("train")
    gate = trainers.Gate(home)
    gate.shut()
    near = Home(home.folder, home.use_case, {"REBENTO_DATABASE_URL": far.url})
    with trainers.stored(near) as database:
        (run_id,) = trainers.ask(database, "person")
        with trainers.started(home, "trainer") as trainer:
            gate.wait_for_a_run()
            with far.cut():
                wait_for(lambda: "could not say how far it is" in trainers.log(home), "it to notice")
                gate.open()
                wait_for(lambda: "waiting for the database" in trainers.log(home), "the run to need it", 250)
                assert trainer.poll() is None
            wait_for(lambda: trainers.state(database, run_id) == "built", "the run to be done", 250)
        trainers.assert_nothing_is_half_done(database)
