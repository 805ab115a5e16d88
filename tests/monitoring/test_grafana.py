"""`rebento grafana` against a FAKE Grafana (tests/monitoring/fake_grafana.py): none can be had here."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from monitoring.grafana.push import DASHBOARDS, Event, Grafana, GrafanaRefuses
from storage.database import Database
from storage.events import loop_events
from storage.promotions import (
    accept_promotion,
    fail_promotion,
    promote_now,
    request_promotion,
    start_promotion,
)
from storage.runs import fail_run, request_run, start_run
from storage.versions import Version, add_version
from tests.homes import Home, free_port
from tests.monitoring.fake_grafana import fake_grafana
from tests.storage.conftest import database as database
from tests.storage.conftest import postgres_url as postgres_url
from tests.storage.conftest import sqlite_url as sqlite_url
from tests.storage.conftest import url as url

EVENTS = [
    Event("promotion 1", "promotion", 1_700_000_000_000, "promotion of visits:1 by trainer: proven"),
    Event("training a", "training", 1_700_000_001_000, "training (person) built visits:2"),
]


def test_pushing_twice_changes_nothing() -> None:
    with fake_grafana() as fake:
        grafana = Grafana(fake.address, "right")
        first = grafana.push("http://prometheus:9090")
        assert len(first) == 6 and all(line.endswith(": made") for line in first)
        assert grafana.annotate("visits", EVENTS) == 2
        writes = fake.writes
        assert all(line.endswith(": there") for line in grafana.push("http://prometheus:9090"))
        assert grafana.annotate("visits", EVENTS) == 0
        assert Grafana(fake.address, "right").annotate("visits", EVENTS) == 0  # after a restart
        assert fake.writes == writes
        assert set(fake.dashboards) == {path.stem for path in DASHBOARDS.glob("*.json")}
        for uid, kept in fake.dashboards.items():
            file = json.loads((DASHBOARDS / f"{uid}.json").read_text())
            sources = {panel["datasource"]["uid"] for panel in file["panels"]}
            assert sources <= set(fake.sources) and kept["dashboard"]["panels"] == file["panels"]
        assert fake.annotations[0]["tags"] == ["rebento", "visits", "promotion", "promotion 1"]


def test_what_was_changed_there_is_put_right() -> None:
    with fake_grafana() as fake:
        grafana = Grafana(fake.address + "/", "right")
        grafana.push("http://prometheus:9090")
        fake.dashboards["rebento-loop"]["dashboard"]["panels"] = []
        said = grafana.push("http://other:9090")
        assert "data source http://other:9090: changed" in said
        assert [line for line in said if line.endswith("changed")][1:] == ["Rebento: Loop: changed"]
        assert fake.dashboards["rebento-loop"]["dashboard"]["panels"]
        assert fake.sources["rebento-prometheus"]["url"] == "http://other:9090"


@pytest.mark.parametrize(
    ("role", "token", "sentence"),
    [
        ("Admin", "wrong", "REBENTO_GRAFANA_TOKEN"),
        ("Viewer", "right", "role Admin"),
        ("Editor", "right", "role Admin"),
    ],
)
def test_a_refusal_says_what_to_do(role: str, token: str, sentence: str) -> None:
    with fake_grafana(role) as fake, pytest.raises(GrafanaRefuses, match=sentence):
        Grafana(fake.address, token).push("http://prometheus:9090")


def test_no_grafana_there() -> None:
    with pytest.raises(GrafanaRefuses, match="cannot be reached"):
        Grafana(f"http://127.0.0.1:{free_port()}", "right").push("http://prometheus:9090")


def test_a_folder_of_that_name_is_used_and_its_uid_does_not_matter() -> None:
    with fake_grafana() as fake:
        fake.folders["abc"] = {"id": 1, "uid": "abc", "title": "Rebento"}
        assert Grafana(fake.address, "right").push("http://prometheus:9090")[0] == "folder Rebento: there"
        assert {one["meta"]["folderUid"] for one in fake.dashboards.values()} == {"abc"}
        writes = fake.writes
        Grafana(fake.address, "right").push("http://prometheus:9090")
        assert fake.writes == writes


def test_another_data_source_of_that_name_is_left_alone() -> None:
    with fake_grafana() as fake:
        fake.sources["mine"] = {"uid": "mine", "name": "Rebento Prometheus"}
        with pytest.raises(GrafanaRefuses, match="rename it or remove it"):
            Grafana(fake.address, "right").push("http://prometheus:9090")


def test_what_was_provisioned_by_files_is_left_to_them() -> None:
    with fake_grafana() as fake:
        grafana = Grafana(fake.address, "right")
        grafana.push("http://prometheus:9090")
        fake.sources["rebento-prometheus"] |= {"readOnly": True, "url": "http://elsewhere:9090"}
        for one in fake.dashboards.values():
            one["meta"]["provisioned"] = True
            one["dashboard"]["panels"] = []
        writes = fake.writes
        said = grafana.push("http://prometheus:9090")
        assert [line.endswith("there, provisioned by files") for line in said] == [False] + [True] * 5
        assert fake.writes == writes


def test_what_is_written_is_not_marked_once_more_out_of_prometheus() -> None:
    with fake_grafana() as fake:
        Grafana(fake.address, "right").push("http://prometheus:9090")
        marks = fake.dashboards["rebento-loop"]["dashboard"]["annotations"]["list"]
    assert [one["enable"] for one in marks] == [True, False, False, False]


def test_an_old_grafana_and_what_is_none_are_told_apart() -> None:
    with fake_grafana() as fake:
        fake.version = "8.5.27"
        with pytest.raises(GrafanaRefuses, match=r"is 8\.5\.27; 9\.0 or newer is needed"):
            Grafana(fake.address, "right").push("http://prometheus:9090")
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.raises(GrafanaRefuses, match="is no Grafana"):
                Grafana(f"http://127.0.0.1:{server.server_address[1]}", "right").push("http://p:9090")
        finally:
            server.shutdown()
            thread.join()


def test_a_grafana_that_was_away_gets_what_happened_meanwhile_once() -> None:
    with fake_grafana() as fake:
        grafana = Grafana(fake.address, "right")
        assert grafana.annotate("visits", EVENTS[:1]) == 1
        fake.is_away = True
        for _ in range(3):
            with pytest.raises(GrafanaRefuses, match="try again later"):
                grafana.annotate("visits", EVENTS)
        fake.is_away = False
        assert grafana.annotate("visits", EVENTS) == 1
        asked = fake.asked
        assert grafana.annotate("visits", EVENTS) == 0
        assert fake.asked == asked  # nothing new: nobody is asked
        assert [one["time"] for one in fake.annotations] == [event.at_ms for event in EVENTS]


def test_after_a_new_beginning_the_first_promotion_is_marked_again() -> None:
    with fake_grafana() as fake:
        Grafana(fake.address, "right").annotate("visits", EVENTS)
        later = [replace(EVENTS[0], at_ms=EVENTS[0].at_ms + 5)]
        assert Grafana(fake.address, "right").annotate("visits", later) == 1


def test_a_promotion_that_failed_on_probation_is_marked_twice(database: Database) -> None:
    """Once as it was promoted, and once as the version before came back: the first may be written already."""
    with database.writing() as connection:
        for number in (1, 2):
            add_version(connection, _version(number))
        why = {"actor": "trainer", "reason": "proven"}
        promote_now(connection, "doctor_visits", "doctor_visits:1", kind="promotion", **why, at_ms=10)
        asked = request_promotion(
            connection, "doctor_visits", "doctor_visits:2", kind="promotion", **why, at_ms=20
        )
        start_promotion(connection, asked.promotion_id, 21)
        accept_promotion(connection, asked.promotion_id, 22)
        before = loop_events(connection, "doctor_visits")
        fail_promotion(connection, asked.promotion_id, 30, "it answered with errors")
        after = loop_events(connection, "doctor_visits")
    assert after[:2] == before
    assert (after[2].kind, after[2].at_ms) == ("failed", 30)
    assert "doctor_visits:1 answers again: it answered with errors" in after[2].text


def _version(number: int) -> Version:
    tag = f"doctor_visits:{number}"
    return Version(tag, "doctor_visits", "m", "None", number, None, None, "", "", "{}", None)


@pytest.mark.slow
def test_the_command_marks_what_happened(tmp_path: Path) -> None:
    home = Home(tmp_path, "visits")
    database = Database.open(home.database_url)
    database.migrate()
    with database.writing() as connection:
        for number in (1, 2):
            add_version(connection, _version(number))
        at = 1_700_000_000_000
        promote_now(
            connection,
            "doctor_visits",
            "doctor_visits:1",
            kind="promotion",
            actor="person",
            reason="first",
            at_ms=at,
        )
        run = request_run(connection, "doctor_visits", trigger="person", reason="why not", at_ms=at)
        start_run(connection, run.run_id, at)
        fail_run(connection, run.run_id, at + 5, "no memory")
        found = loop_events(connection, "doctor_visits")
    database.close()
    assert [one.kind for one in found] == ["promotion", "training"]
    with fake_grafana() as fake:
        extra = {"REBENTO_GRAFANA_URL": fake.address, "REBENTO_GRAFANA_TOKEN": "right"}
        told = Home(tmp_path, "doctor_visits", extra)
        assert "annotations: 2 made" in told.rebento("grafana", "push").stdout
        assert "annotations: 0 made" in told.rebento("grafana", "push").stdout
        texts = [one["text"] for one in fake.annotations]
    assert re.match("promotion of doctor_visits:1 by person: first", texts[0])
    assert texts[1].endswith("failed: no memory")
    nowhere = Home(tmp_path, "doctor_visits").rebento("grafana", "push", check=False)
    assert nowhere.returncode == 1 and "REBENTO_GRAFANA_URL" in nowhere.stderr
