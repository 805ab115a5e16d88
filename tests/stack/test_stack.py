"""docker-compose.yml on a real engine: it serves, learns, replaces the running Bento, is watched, and stops.

The official images of PostgreSQL, Prometheus and Grafana cannot be had where this runs: Debian's PostgreSQL
15 and Prometheus 2 stand in for the first two (tests/stack/standin), the third is left out.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from dataclasses import dataclass
from typing import Any

import pytest

from tests.callers import Callers
from tests.homes import ask, wait_for
from tests.stack.conftest import size
from tests.stack.stack import OURS, K, Stack
from use_cases.doctor_visits.loader import person_years

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(2400),
    pytest.mark.xdist_group("docker"),
]

#: What learns, reports or draws; the serving image is to hold none of it.
UNWANTED = ("sklearn", "skl2onnx", "skops", "scipy", "pandas", "pyarrow", "statsmodels", "evidently",
            "training", "reporting", "webapp", "files")  # fmt: skip
#: 0.47 GB and 1.32 GB were seen, 0.19 of them the base.
MOST_BYTES = {"serving-api": 0.6e9, "trainer": 1.6e9}
#: How often k labels are told; after twice as many the turned world was proven.
TIMES = 4


@dataclass(frozen=True)
class Learned:
    """What came of the feedback."""

    old: str
    new: str
    callers: Callers


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """People whom the first version has not seen."""
    table = person_years(None).iloc[2000 : 2000 + TIMES * K].drop(columns="doctor_visit")  # type: ignore[arg-type]
    return [
        {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
        for row in table.to_dict("records")
    ]


@pytest.fixture(scope="module")
def learned(stack: Stack, rows: list[dict[str, Any]]) -> Learned:
    """Predictions and their true answers until a Bento that learned from them answers, all under load."""
    old = stack.serving()
    with stack.callers(rows[0]) as callers:
        asked_for = [tell(stack, rows[begin : begin + K]) for begin in range(0, len(rows), K)]
        assert None not in asked_for, "k labels asked for no training"
        wait_for(lambda: stack.serving() != old, "a Bento that learned from them to answer", seconds=300)
        # No other takes its place while we look; and it is a command in a container.
        stack.compose("exec", "-T", "trainer", "rebento", "pause")
        wait_for(lambda: is_at_rest(stack), "training and probation to end", seconds=300)
    return Learned(old, stack.serving(), callers)


def is_at_rest(stack: Stack) -> bool:
    return all(
        stack.metric(name) == value
        for name, value in (("automation_paused", 1), ("training_run_active", 0), ("promotions_waiting", 0))
    )


def tell(stack: Stack, rows: list[dict[str, Any]]) -> str | None:
    """Asks about the rows, then tells the contrary: the world has turned since the first version learned.

    The training run that was asked for, if any was.
    """
    run = None
    for begin in range(0, len(rows), 100):
        answer = stack.api("/predict", {"rows": rows[begin : begin + 100]})
        assert answer.status == 200, answer.body
        given = answer.json["predictions"]
        middle = statistics.median(one["probabilities"]["yes"] for one in given)
        truths = [
            {
                "prediction_id": one["prediction_id"],
                "target": "no" if one["probabilities"]["yes"] > middle else "yes",
            }
            for one in given
        ]
        taken = stack.api("/feedback", {"feedback": truths})
        assert taken.status == 200 and taken.json["accepted"] == len(given), taken.body
        run = taken.json["training_run"] or run
    return run


def test_every_container_is_healthy_unprivileged_and_bounded(stack: Stack) -> None:
    assert sorted(stack.services()) == sorted((*OURS, "postgres", "prometheus"))
    for service in stack.services():
        found = stack.inspect(service)
        assert found["State"]["Health"]["Status"] == "healthy", service
        assert found["Config"]["User"] not in ("", "root", "0"), service
        host = found["HostConfig"]
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and host["Memory"] > 0, service
        assert host["RestartPolicy"]["Name"] == "unless-stopped", service
        published = [one for ports in host["PortBindings"].values() for one in ports]
        assert all(one["HostIp"] == "127.0.0.1" for one in published), service


def test_the_serving_image_can_neither_train_nor_report_nor_draw(stack: Stack) -> None:
    code = (
        "import importlib.util, json; "
        f"print(json.dumps([n for n in {UNWANTED!r} if importlib.util.find_spec(n)]))"
    )
    assert json.loads(stack.compose("exec", "-T", "serving-api", "python", "-c", code)) == []
    assert "serve" in stack.compose("exec", "-T", "serving-api", "rebento", "serve", "--help")
    for service, most in MOST_BYTES.items():
        print(f"the image of {service} has {size(stack, service) / 1e6:.0f} MB")
        assert size(stack, service) < most


def test_the_api_asks_for_its_token(stack: Stack) -> None:
    assert ask(stack.base("API_PORT"), "/predict", {"rows": []}).status == 401
    assert ask(stack.base("API_PORT"), "/readyz").status == 200


def test_a_promotion_in_the_trainers_container_replaces_the_bento_and_no_request_fails(
    learned: Learned, stack: Stack, rows: list[dict[str, Any]]
) -> None:
    callers = learned.callers
    assert learned.new != learned.old
    assert callers.failures == []
    assert {learned.old, learned.new} <= set(callers.bentos)
    print(f"answers by Bento while they changed: {dict(callers.bentos)}")
    answer = stack.api("/predict", {"rows": rows[:1]})
    assert answer.json["bento"] == learned.new


def test_a_serving_container_that_is_restarted_answers_with_the_promoted_bento(
    learned: Learned, stack: Stack, rows: list[dict[str, Any]]
) -> None:
    stack.compose("restart", "serving-api")
    wait_for(lambda: is_ready(stack), "the restarted container to answer", seconds=120)
    answer = stack.api("/predict", {"rows": rows[:1]})
    assert (answer.status, answer.json["bento"]) == (200, learned.new)


def is_ready(stack: Stack) -> bool:
    try:
        return ask(stack.base("API_PORT"), "/readyz").status == 200
    except OSError:
        return False


def test_prometheus_reaches_every_target_and_knows_the_loop(learned: Learned, stack: Stack) -> None:
    assert ask(stack.base("WEB_PORT"), "/").status == 200  # one page at least, to be counted
    answer = ask(stack.base("PROMETHEUS_PORT"), "/api/v1/targets").json["data"]["activeTargets"]
    assert {one["labels"]["instance"] for one in answer} == {"serving-api:8080", "webapp:8081"}
    wait_for(lambda: set(stack.measured("up").values()) == {1.0}, "every target to be up", seconds=120)
    expected = [
        f'bento_in_force{{bento="{learned.new}"}} == 1',
        'promotions_total{kind="promotion",state="done"} >= 1',
        f"production_rows >= {K}",
        "training_runs_total > 0",
        'process_up{process="supervisor"} == 1',
        'process_up{process="trainer"} == 1',
        'api_requests_total{route="/predict",status="200"} > 0',
        "web_requests_total > 0",
        "rebento:errors:share5m == 0",
    ]
    for query in expected:
        wait_for(lambda query=query: stack.measured(query) != {}, f"{query} in Prometheus", seconds=120)
    rules = ask(stack.base("PROMETHEUS_PORT"), "/api/v1/rules?type=alert").json["data"]["groups"]
    assert sum(len(group["rules"]) for group in rules) > 10
    assert all(rule["health"] != "err" for group in rules for rule in group["rules"])


def test_the_pages_answer_by_their_published_name_and_by_no_strangers(stack: Stack) -> None:
    signed_out = ask(stack.base("WEB_PORT"), "/")
    assert signed_out.status == 200 and b"<form" in signed_out.body
    assert ask(stack.base("WEB_PORT"), "/", headers={"host": "stranger.example.org"}).status == 400


def test_evidentlys_pages_answer(stack: Stack) -> None:
    began = time.monotonic()
    page = ask(stack.base("REPORTING_PORT"), "/")  # Evidently is loaded for this first visitor
    assert page.status == 200 and b"<html" in page.body.lower()
    print(f"Evidently's first page took {time.monotonic() - began:.0f} s")


def test_shared_memory_holds_the_counters_many_times_over(learned: Learned, stack: Stack) -> None:
    used = stack.compose(
        "exec", "-T", "serving-api", "df", "--output=used,size", "--block-size=1", "/dev/shm"
    )
    bytes_used, bytes_there = map(int, used.split()[-2:])
    print(f"/dev/shm: {bytes_used / 1e3:.0f} kB of {bytes_there / 1e6:.0f} MB")
    assert 0 < bytes_used * 5 < bytes_there


def test_every_line_of_our_containers_is_json_and_none_holds_a_password(
    learned: Learned, stack: Stack
) -> None:
    for service in OURS:
        said = stack.said(service)
        assert '"message"' in said, service
        assert stack.token not in said and "p@ss" not in said
        for line in said.splitlines():
            assert isinstance(json.loads(line), dict), f"{service}: {line}"


def test_every_container_stops_by_itself(stack: Stack) -> None:
    began = time.monotonic()
    stack.compose("stop")
    codes = {service: stack.inspect(service)["State"]["ExitCode"] for service in stack.services()}
    print(f"all containers stopped within {time.monotonic() - began:.0f} s")
    assert codes == dict.fromkeys(codes, 0)
