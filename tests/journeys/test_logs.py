"""Every line of every process is one JSON object where that is asked for, and none tells a secret."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.databases import only_on_sqlite
from tests.homes import ROOT, Home, up, wait_for
from tests.journeys.test_alone import PATIENCE_SECONDS, has_champion, untrained
from tests.journeys.trainers import log, started
from tests.storage.postgres import restartable

SECRETS = ("token-of-the-api", "password-of-the-database", "token-of-grafana")
Row = dict[str, Any]


def lines(text: str) -> list[dict[str, Any]]:
    """Each line as an object with the fields that all have."""
    found = []
    for line in text.splitlines():
        entry = json.loads(line)
        assert {"timestamp", "level", "process", "logger", "message"} <= set(entry), line
        assert datetime.fromisoformat(entry["timestamp"]).utcoffset() is not None
        found.append(entry)
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
# On a PostgreSQL of its own, which it stops.
@only_on_sqlite
def test_each_line_of_an_installation_is_an_object_and_tells_no_secret(
    trained: Home, row: Row, tmp_path: Path
) -> None:
    api_token, password, grafana_token = SECRETS
    with restartable() as postgres:
        home = untrained(
            trained,
            tmp_path,
            REBENTO_LOG_FORMAT="json",
            REBENTO_API_TOKEN=api_token,
            REBENTO_DATABASE_URL=postgres.url.replace("rebento@", f"rebento:{password}@"),
            REBENTO_GRAFANA_URL="http://127.0.0.1:1",
            REBENTO_GRAFANA_TOKEN=grafana_token,
        )
        with started(home, "trainer", "--alone") as process:
            wait_for(lambda: has_champion(home), "a first version", PATIENCE_SECONDS)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        with up(home) as server:
            bearer = {"authorization": f"Bearer {api_token}"}
            assert server.call("/predict", {"rows": [row]}, headers=bearer).status == 200
            assert server.call("/predict", {"rows": [row]}, headers={}).status == 401

            def said(words: str) -> bool:
                return words in server.log.read_text()

            wait_for(lambda: said("pages are at http"), "Evidently's pages", PATIENCE_SECONDS)
            wait_for(lambda: said("pages at http"), "the pages", PATIENCE_SECONDS)
            wait_for(lambda: said("not marked yet"), "the word of a Grafana that is away", PATIENCE_SECONDS)
            wait_for(lambda: said("the reporter waits"), "the reporter", PATIENCE_SECONDS)
            postgres.stop()
            wait_for(lambda: said("waiting for the database"), "the word of it", PATIENCE_SECONDS)
            assert postgres.start()
        everything = log(home) + server.log.read_text()
        found = lines(everything)
    by_process = {entry["process"].partition("[")[0] for entry in found}
    assert {"supervisor", "worker", "trainer", "web", "reporter", "reporting", "grafana"} <= by_process
    assert not any(secret in everything for secret in SECRETS)
    assert not [entry for entry in found if "exception" in entry], "nothing broke"


@pytest.mark.parametrize(
    ("command", "extra", "told"),
    [
        (
            "trainer",
            {"REBENTO_DATABASE_URL": "postgresql+psycopg://a:SECRET@127.0.0.1:1/b"},
            "cannot be opened",
        ),
        (
            "web",
            {"REBENTO_DATABASE_URL": "mysql://a:SECRET@127.0.0.1:1/b"},
            "of a kind Rebento does not write",
        ),
        ("serve", {"REBENTO_WORKERS": "0", "REBENTO_API_TOKEN": "SECRET"}, "REBENTO_WORKERS='0'"),
        ("reporter", {"REBENTO_USE_CASE": "absent", "REBENTO_API_TOKEN": "SECRET"}, "absent"),
    ],
)
def test_a_refusal_at_the_start_is_a_line_like_others(
    tmp_path: Path, command: str, extra: dict[str, str], told: str
) -> None:
    home = Home(tmp_path, "doctor_visits", {"REBENTO_LOG_FORMAT": "json", **extra})
    ended = home.rebento(command, check=False)
    assert ended.returncode == 1 and ended.stdout == ""
    entries = lines(ended.stderr)
    assert entries[-1]["level"] == "ERROR" and told in entries[-1]["message"]
    assert "SECRET" not in ended.stderr
    as_text = Home(tmp_path, home.use_case, {**home.extra, "REBENTO_LOG_FORMAT": "text"})
    assert as_text.rebento(command, check=False).stderr.startswith("rebento: ")


PROGRAM = """
import logging, sys, threading, warnings
from monitoring.logs import set_up_logs

logging.getLogger("of_a_library").addHandler(logging.StreamHandler())
logging.getLogger("of_a_library").propagate = False
set_up_logs("small", sys.argv[1])
logging.getLogger("of_a_library").warning("it has %s", "its own way")
logging.getLogger("rebento.trainer").info("a run ended", extra={"run": "r-1"})
logging.getLogger("rebento.trainer").info("100%% sure seconds=%.1f bento=%s: %s", 2.25, "b:1", "x=1")
logging.getLogger("httpx").info("GET /metrics")
warnings.warn("it gets old")
try:
    raise KeyError("two\\nlines")
except KeyError:
    logging.getLogger("rebento").exception("it broke")
thread = threading.Thread(target=lambda: 1 / 0, name="worker")
thread.start()
thread.join()
raise RuntimeError("the end")
"""


def said_by_a_process(log_format: str) -> str:
    command = [sys.executable, "-W", "default", "-c", PROGRAM, log_format]
    # With a terminal of a known width nothing is wrapped either.
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, env={**os.environ, "COLUMNS": "20"}
    )
    assert ended.returncode == 1 and ended.stdout == ""
    return ended.stderr


def test_libraries_warnings_and_what_ends_a_process_go_the_same_way() -> None:
    entries = lines(said_by_a_process("json"))
    library, run, named, warning, broke, thread, end = entries
    assert {entry["process"] for entry in entries} == {"small"}
    assert (named["seconds"], named["bento"], "x" in named) == (2.25, "b:1", False)
    assert named["message"] == "100% sure seconds=2.2 bento=b:1: x=1"
    assert (library["message"], library["logger"]) == ("it has its own way", "of_a_library")
    assert (run["run"], run["level"]) == ("r-1", "INFO")
    assert "it gets old" in warning["message"] and warning["level"] == "WARNING"
    assert "Traceback" in broke["exception"] and "two\\nlines" in broke["exception"]
    assert thread["level"] == "CRITICAL" and "ZeroDivisionError" in thread["exception"]
    assert end["message"] == "the process ended: RuntimeError: the end"


def test_text_is_for_a_person() -> None:
    text = said_by_a_process("text")
    assert " small WARNING it has its own way\n" in text
    assert " small INFO a run ended\n" in text
    assert "GET /metrics" not in text
    assert text.rstrip().endswith("RuntimeError: the end")
