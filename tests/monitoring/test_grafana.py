"""`rebento grafana` against a FAKE Grafana (tests/monitoring/fake_grafana.py): none can be had here."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from monitoring.grafana.push import DASHBOARDS, Event, Grafana, GrafanaRefuses
from storage.database import Database
from storage.events import loop_events
from storage.promotions import promote_now
from storage.runs import fail_run, request_run, start_run
from storage.versions import Version, add_version
from tests.journeys.conftest import Home, free_port
from tests.monitoring.fake_grafana import fake_grafana

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


@pytest.mark.slow
def test_the_command_marks_what_happened(tmp_path: Path) -> None:
    home = Home(tmp_path, "visits")
    database = Database.open(home.database_url)
    database.migrate()
    with database.writing() as connection:
        for number in (1, 2):
            version = Version(
                f"doctor_visits:{number}",
                "doctor_visits",
                "m",
                "None",
                number,
                None,
                None,
                "",
                "",
                "{}",
                None,
            )
            add_version(connection, version)
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
