"""What callers see of a real `rebento up` with two workers."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from sqlalchemy import text

from storage.database import Database
from tests.homes import Server, wait_for

pytestmark = pytest.mark.slow
Row = dict[str, Any]


def all_joined(server: Server) -> None:
    """Waits for feedback that came to one worker before the other had logged the prediction."""
    database = Database.open(server.home.database_url)

    def pending() -> int:
        with database.reading() as connection:
            query = "SELECT count(*) FROM feedback WHERE state = 'pending'"
            return int(connection.exec_driver_sql(query).scalar_one())

    wait_for(lambda: pending() == 0, "all feedback to be joined")
    database.close()


def test_a_prediction_has_an_id_a_label_and_probabilities(server: Server, row: Row) -> None:
    answer = server.call("/predict", {"rows": [row, row]})
    assert answer.status == 200
    assert answer.json["bento"] == server.home.tags()[-1]
    first, second = answer.json["predictions"]
    assert first["prediction_id"] != second["prediction_id"]
    assert first["prediction"] == max(first["probabilities"], key=first["probabilities"].get)
    assert set(first["probabilities"]) == {"no", "yes"}
    assert sum(first["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert first["warnings"] == []


def test_an_id_can_be_used_the_next_moment_at_any_worker(server: Server, row: Row) -> None:
    for _ in range(60):  # a connection of its own each: both workers take part
        (prediction,) = server.predict(row)
        body = {"feedback": [{"prediction_id": prediction["prediction_id"], "target": "yes"}]}
        answer = server.call("/feedback", body)
        assert (answer.status, answer.json["accepted"]) == (200, 1)


def test_the_later_feedback_wins_and_both_are_kept(server: Server, row: Row) -> None:
    (prediction,) = server.predict(row)
    for target in ("yes", "no"):
        body = {"feedback": [{"prediction_id": prediction["prediction_id"], "target": target}]}
        assert server.call("/feedback", body).status == 200
    database = Database.open(server.home.database_url)
    query = text(
        "SELECT target, superseded_at_ms IS NULL AS in_force FROM feedback WHERE prediction_id = :id "
        "ORDER BY feedback_id"
    )
    with database.reading() as connection:
        kept = [tuple(r) for r in connection.execute(query, {"id": prediction["prediction_id"]})]
    database.close()
    assert kept == [("yes", 0), ("no", 1)]


def test_a_whole_row_is_predicted_on_arrival_and_its_key_counts_once(server: Server, row: Row) -> None:
    body = {"feedback": [{"row": row, "target": "yes", "key": "visit-17", "source": "clinic"}]}
    all_joined(server)
    first = server.call("/feedback", body).json
    again = server.call("/feedback", body).json
    assert first["accepted"] == again["accepted"] == 1
    assert again["production_rows"] == first["production_rows"]


def test_a_missing_column_is_named_and_nothing_is_stored(server: Server, row: Row) -> None:
    before = server.settled_metric('predictions_total{prediction="yes"}')
    answer = server.call("/predict", {"rows": [row, {"sex": "male"}]})
    assert answer.status == 400
    assert set(answer.json) == {"error", "detail", "missing_features"}
    assert "income" in answer.json["missing_features"]
    assert server.settled_metric('predictions_total{prediction="yes"}') == before


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not valid JSON"),
        (b"", "not valid JSON"),
        (b"\xff\xfe\x00", "not valid JSON"),
        (b"[1]", "no JSON object"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"rows": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001, "JSON"),
        (b'{"rows": [{"income": 1e999}]}', ""),
        (b'{"rows": [{"income": NaN}]}', "income"),
        (b'{"rows": [{"income": ' + b"9" * 5_000 + b"}]}", ""),
        (b'{"rows": []}', "at least one row"),
        (b'{"rows": "x"}', "rows is missing"),
        (b"{}", "rows is missing"),
        (b'{"rows": [], "more": 1}', "unknown parts: more"),
        (b'{"entities": [1]}', "reserved"),
        (b'{"rows": [null]}', "a row is an object"),
        (b'{"rows": [{"' + b"x" * 3_000 + b'": 1}]}', "missing"),
        (b'{"rows": [{"sex": "\\u0000"}]}', ""),
        (b'{"rows": [{"sex": "\\ud800"}]}', ""),
    ],
)
@pytest.mark.parametrize("route", ["/predict", "/explain"])
def test_a_broken_body_is_refused_with_a_sentence(server: Server, route: str, body: bytes, said: str) -> None:
    answer = server.call(route, body)
    assert answer.status == 400, answer.body
    assert set(answer.json) == {"error", "detail", "missing_features"}
    assert said in answer.body.decode()
    assert len(answer.body) < 30_000


def test_a_body_of_another_kind_is_refused_and_never_unpickled(server: Server) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/vnd.bentoml+pickle"):
        answer = server.call("/predict", b"cos\nsystem\n(S'exit 1'\ntR.", headers={"content-type": kind})
        assert answer.status == 400
        assert "application/json" in answer.json["error"]


def test_too_many_rows_and_too_many_bytes_are_refused(server: Server, row: Row) -> None:
    assert "at most 10000" in server.call("/predict", {"rows": [{}] * 10_001}).json["error"]
    assert "larger than" in server.call("/predict", b" " * (16 * 1024 * 1024 + 1)).json["error"]
    assert "at most 100" in server.call("/explain", {"rows": [row] * 101}).json["error"]


@pytest.mark.parametrize(
    ("entry", "column", "said"),
    [
        ({"target": "yes"}, "prediction_id", "either"),
        ({"prediction_id": 7, "target": "yes"}, "prediction_id", "text"),
        ({"prediction_id": "x"}, "target", "is missing"),
        ({"prediction_id": "x", "target": "maybe"}, "target", "'maybe' is no class; the classes are no, yes"),
        ({"prediction_id": "x", "target": ["yes"]}, "target", "no class"),
        ({"prediction_id": "x", "target": "yes", "source": ""}, "source", "text of 1 to 200"),
        ({"prediction_id": "x", "target": "yes", "note": 1}, "note", "not part"),
        ({"row": {"income": 1}, "target": "yes"}, "age", "required"),
        ("yes", "feedback", "an entry is an object"),
    ],
)
def test_a_feedback_that_cannot_be_meant_is_refused(
    server: Server, entry: Any, column: str, said: str
) -> None:
    answer = server.call("/feedback", {"feedback": [entry]})
    assert answer.status == 400
    assert any(p["column"] == column and said in p["problem"] for p in answer.json["detail"]), answer.json


def test_an_invented_id_is_404_and_the_call_stores_nothing(server: Server, row: Row) -> None:
    (prediction,) = server.predict(row)
    real = {"prediction_id": prediction["prediction_id"], "target": "yes"}
    assert server.call("/feedback", {"feedback": [real]}).status == 200
    all_joined(server)
    before = server.call("/feedback", {"feedback": [real]}).json["production_rows"]
    (other,) = server.predict(row)
    entries = [{"prediction_id": other["prediction_id"], "target": "no"}, {**real, "prediction_id": "0" * 36}]
    answer = server.call("/feedback", {"feedback": entries})
    assert answer.status == 404
    assert answer.json["detail"][0]["row"] == 1
    assert server.call("/feedback", {"feedback": [real]}).json["production_rows"] == before


def test_unknown_paths_and_methods_get_our_refusal_and_no_series(server: Server) -> None:
    for i in range(50):
        answer = server.call(f"/no-such-path/{i}")
        assert (answer.status, set(answer.json)) == (404, {"error", "detail", "missing_features"})
    assert server.call("/predict", method="GET").status == 405
    assert server.call("/readyz", method="HEAD").status == 200
    text = server.call("/metrics").body.decode()
    assert "no-such-path" not in text
    series = 'api_requests_total{route="other",status="404"}'
    wait_for(lambda: server.metric(series) >= 50, "all to be counted")


def test_an_explanation_names_columns_by_their_effect_and_is_not_logged(server: Server, row: Row) -> None:
    before = server.settled_metric('predictions_total{prediction="yes"}')
    answer = server.call("/explain", {"rows": [row]})
    assert answer.status == 200
    (explanation,) = answer.json["explanations"]
    effects = [abs(column["effect"]) for column in explanation["columns"]]
    assert effects == sorted(effects, reverse=True) and effects[0] > 0
    assert {c["column"] for c in explanation["columns"]} == set(row)
    moved = {c["column"]: c for c in explanation["columns"]}
    name, most = next(iter(moved.items()))
    (changed,) = server.predict(row | {name: most["reference"]})
    label = explanation["prediction"]
    expected = explanation["probabilities"][label] - most["effect"]
    assert changed["probabilities"][label] == pytest.approx(expected, abs=1e-5)
    assert server.settled_metric('predictions_total{prediction="yes"}') <= before + 1


CLIENT = """
import json, sys, bentoml
base, row = sys.argv[1], json.loads(sys.argv[2])
with bentoml.SyncHTTPClient(base) as client:
    answer = client.predict(rows=[row])
    given = answer["predictions"][0]["prediction_id"]
    told = client.feedback(feedback=[{"prediction_id": given, "target": "no"}])
    print(json.dumps([answer, told, client.explain(rows=[row])]))
"""


def test_every_route_is_on_the_openapi_page_and_bentos_own_client_works(server: Server, row: Row) -> None:
    paths = server.call("/docs.json").json["paths"]
    assert {"/predict", "/explain", "/feedback", "/metrics", "/livez", "/readyz"} <= set(paths)
    # In a process of its own: the client warns at import, and leaves its folder to the collector.
    run = subprocess.run(
        [sys.executable, "-c", CLIENT, server.base, json.dumps(row)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    answer, told, explained = json.loads(run.stdout)
    assert set(answer["predictions"][0]["probabilities"]) == {"no", "yes"}
    assert told["accepted"] == 1
    assert explained["explanations"][0]["columns"]


def test_counts_are_right_across_workers_and_after_one_is_replaced(server: Server, row: Row) -> None:
    series = 'api_requests_total{route="/predict",status="200"}'
    before = server.settled_metric(series)
    for _ in range(40):
        server.predict(row)
    wait_for(lambda: server.metric(series) == before + 40, "all to be counted")
    (victim, _) = server.workers()
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: len(server.workers()) == 2 and victim not in server.workers(), "a new worker")
    ended = f"is started again pid={victim} "
    wait_for(lambda: "golden rows" in server.log.read_text().partition(ended)[2], "its start")
    for _ in range(40):
        server.predict(row)
    wait_for(lambda: server.metric(series) == before + 80, "all to be counted")
    assert server.settled_metric(series) == before + 80
    infos = [x for x in server.call("/metrics").body.decode().splitlines() if x.startswith("bento_info{")]
    assert len(infos) == 1 and infos[0].endswith(" 1.0")


def test_a_large_request_does_not_keep_small_ones_waiting_for_all_of_it(server: Server, row: Row) -> None:
    answer = server.call("/predict", {"rows": [row] * 10_000})
    assert len(answer.json["predictions"]) == 10_000
    assert len({p["prediction_id"] for p in answer.json["predictions"]}) == 10_000


def test_a_slow_client_is_answered_and_one_that_leaves_harms_nobody(server: Server, row: Row) -> None:
    host = server.base.removeprefix("http://")
    body = json.dumps({"rows": [row]}).encode()
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.putrequest("POST", "/predict")
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", str(len(body)))
    connection.endheaders()
    for start in range(0, len(body), 50):
        connection.send(body[start : start + 50])
    assert connection.getresponse().status == 200
    connection.putrequest("POST", "/predict")
    connection.putheader("content-length", "1000")
    connection.endheaders()
    connection.close()
    assert server.predict(row)
