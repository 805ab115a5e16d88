"""Thousands of strange calls at a real server: never a 500, never a lost row."""

from __future__ import annotations

import http.client
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.database import Database
from tests.databases import only_on_sqlite
from tests.homes import Home, Server, up

pytestmark = pytest.mark.slow

NUMBERS = st.one_of(
    st.integers(), st.floats(), st.integers(-(10**400), 10**400), st.just(math.nan), st.just(math.inf)
)
SCALARS = st.one_of(
    st.none(), st.booleans(), NUMBERS, st.text(max_size=20), st.just("\x00"), st.just("2024-01-31")
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
BATCH = settings(
    max_examples=1_200,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
)


class Caller:
    """One kept-alive connection that counts what was acknowledged."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.connection = http.client.HTTPConnection(server.base.removeprefix("http://"), timeout=90)
        self.predictions = 0
        self.ids: set[str] = set()
        self.calls = 0

    def post(self, path: str, body: bytes, kind: str = "application/json") -> tuple[int, Any]:
        self.calls += 1
        self.connection.request("POST", path, body, {"content-type": kind})
        response = self.connection.getresponse()
        text = response.read()
        assert response.status in (200, 400, 404), (response.status, path, body[:500], text[:500])
        answer = json.loads(text)
        if response.status != 200:
            assert set(answer) == {"error", "detail", "missing_features"} and answer["error"]
        return response.status, answer


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()  # NaN and Infinity go out as Python writes them


@contextmanager
def counted(trained: Home, folder: Any) -> Iterator[Caller]:
    home = trained.copy(folder)
    with up(home) as server:
        caller = Caller(server)
        try:
            yield caller
        finally:
            caller.connection.close()
        assert caller.calls >= 1_000
        assert server.metric('api_requests_total{route="/predict",status="500"}') == 0
        assert server.metric('api_requests_total{route="/feedback",status="500"}') == 0
    database = Database.open(home.database_url)
    with database.reading() as connection:
        stored = connection.exec_driver_sql(
            "SELECT count(*) FROM predictions WHERE origin = 'request'"
        ).scalar_one()
        labelled = {found for (found,) in connection.exec_driver_sql("SELECT prediction_id FROM feedback")}
    database.close()
    assert stored == caller.predictions
    assert caller.ids <= labelled


def test_strange_rows_never_break_predict_or_explain(
    trained: Home, row: dict[str, Any], tmp_path: Any
) -> None:
    names = st.sampled_from(sorted(row))
    changed = st.dictionaries(names | st.text(max_size=10), SCALARS | ANYTHING, max_size=3).map(
        lambda d: row | d
    )
    rows = st.lists(changed | ANYTHING, max_size=4)
    with counted(trained, tmp_path) as caller:

        @BATCH
        @given(rows | ANYTHING, st.booleans())
        def run(sent: Any, explain: bool) -> None:
            status, answer = caller.post("/explain" if explain else "/predict", encoded({"rows": sent}))
            if status == 200 and not explain:
                caller.predictions += len(answer["predictions"])
                assert len(answer["predictions"]) == len(sent)

        run()


# None of these bodies comes as far as the database.
@only_on_sqlite
def test_strange_bodies_never_break_a_route(trained: Home, tmp_path: Any) -> None:
    kinds = st.sampled_from(
        ["application/json", "application/json; charset=utf-16", "text/html", "", "a/b/c"]
    )
    with counted(trained, tmp_path) as caller:

        @BATCH
        @given(
            st.sampled_from(["/predict", "/explain", "/feedback"]),
            st.binary(max_size=200) | ANYTHING.map(encoded),
            kinds,
        )
        def run(path: str, body: bytes, kind: str) -> None:
            status, _ = caller.post(path, body, kind)
            assert status == 400

        run()


def test_strange_feedback_never_breaks_and_none_is_lost(
    trained: Home, row: dict[str, Any], tmp_path: Any
) -> None:
    with counted(trained, tmp_path) as caller:
        ids: list[str] = []
        for _ in range(20):
            _, answer = caller.post("/predict", encoded({"rows": [row] * 5}))
            caller.predictions += 5
            ids += [p["prediction_id"] for p in answer["predictions"]]
        entry = st.fixed_dictionaries(
            {},
            optional={
                "prediction_id": st.sampled_from(ids) | st.text(max_size=40) | ANYTHING,
                "target": st.sampled_from(["yes", "no", True]) | ANYTHING,
                "row": st.just(row) | ANYTHING,
                "source": st.sampled_from(["a", "b"]) | ANYTHING,
                "key": st.sampled_from(["k1", "k2"]) | ANYTHING,
            },
        )
        good = st.fixed_dictionaries(
            {"prediction_id": st.sampled_from(ids), "target": st.sampled_from(["yes", "no"])}
        )

        @BATCH
        @given(st.lists(good, min_size=1, max_size=4) | st.lists(entry | good | ANYTHING, max_size=4))
        def run(sent: list[Any]) -> None:
            status, answer = caller.post("/feedback", encoded({"feedback": sent}))
            if status == 200:
                assert answer["accepted"] == len(sent)
                caller.ids |= {e["prediction_id"] for e in sent if "prediction_id" in e}

        run()
        assert caller.ids <= set(ids)
