"""docker-compose.yml, .env.example and the Dockerfiles, read by the tools they are for; no engine runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings import Settings
from tests.homes import BIN, ROOT

SECRETS = ("POSTGRES_PASSWORD", "REBENTO_API_TOKEN", "GRAFANA_ADMIN_PASSWORD")
EXAMPLE = ROOT / ".env.example"
OURS = ("serving-api", "webapp", "reporting", "trainer", "annotations")


def compose(*arguments: str, env_file: Path, files: tuple[str, ...] = ("docker-compose.yml",)) -> Any:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("REBENTO_", "COMPOSE_"))}
    named = [part for file in files for part in ("--file", file)]
    return subprocess.run(
        [BIN / "docker-compose", "--env-file", env_file, *named, *arguments],
        cwd=ROOT,
        env={k: v for k, v in clean.items() if k not in SECRETS},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def filled_in(tmp_path: Path) -> Path:
    """.env.example with the three secrets that it asks for."""
    text = re.sub(r"(?m)^(\w+)=$", r"\1=filled-in", EXAMPLE.read_text())
    (tmp_path / "env").write_text(text)
    return tmp_path / "env"


@pytest.fixture
def services(filled_in: Path) -> dict[str, Any]:
    """The services as Compose understands them, with those of every profile."""
    run = compose("--profile", "*", "config", "--format", "json", env_file=filled_in)
    assert run.returncode == 0, run.stderr
    return dict(json.loads(run.stdout)["services"])


@pytest.mark.parametrize("files", [(), ("tests/stack/compose.override.yml",)])
def test_compose_understands_the_file(filled_in: Path, files: tuple[str, ...]) -> None:
    run = compose("config", "--quiet", env_file=filled_in, files=("docker-compose.yml", *files))
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_nothing_starts_with_the_example_as_it_is() -> None:
    run = compose("up", env_file=EXAMPLE)
    assert run.returncode != 0
    for secret in SECRETS:
        assert f"set {secret} in .env, see .env.example" in run.stderr


@pytest.mark.parametrize("secret", SECRETS)
def test_nothing_starts_without_one_of_the_secrets(filled_in: Path, secret: str) -> None:
    filled_in.write_text(re.sub(rf"(?m)^{secret}=.*\n", "", filled_in.read_text()))
    run = compose("up", env_file=filled_in)
    assert run.returncode != 0
    assert f"set {secret} in .env, see .env.example" in run.stderr


def test_the_example_names_every_variable_of_the_file_and_its_default() -> None:
    used = dict(re.findall(r"\$\{(\w+):[-?]([^}]*)\}", (ROOT / "docker-compose.yml").read_text()))
    named = dict(re.findall(r"(?m)^#?([A-Z_]+)=(.*)$", EXAMPLE.read_text()))
    assert named.keys() == used.keys()
    for name, value in named.items():
        assert value == ("" if name in SECRETS else used[name]), name


def test_every_setting_that_a_container_is_given_exists(services: dict[str, Any]) -> None:
    for name, service in services.items():
        given = {key for key in service.get("environment", {}) if key.startswith("REBENTO_")}
        assert given <= {f"REBENTO_{field.upper()}" for field in Settings.model_fields}, name


def test_a_setting_that_may_be_left_out_has_the_default_of_the_program(services: dict[str, Any]) -> None:
    defaults = Settings()
    tuned = ("max_rows", "max_body_bytes", "max_explain_rows", "log_queue_rows", "log_commit_milliseconds")
    for name in OURS:
        given = services[name]["environment"]
        for setting in (*tuned, "drain_seconds"):
            assert given[f"REBENTO_{setting.upper()}"] == str(getattr(defaults, setting)), (name, setting)


def test_every_service_is_bounded_restarted_looked_after_and_unprivileged(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert int(service["mem_limit"]) > 0, name
        assert service["restart"] == "unless-stopped", name
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "healthcheck" in service or name == "annotations", name
        assert "latest" not in service["image"] and ":" in service["image"], name


def test_nothing_is_published_beyond_this_machine(services: dict[str, Any]) -> None:
    published = {
        port["published"]: (name, port["host_ip"])
        for name, service in services.items()
        for port in service.get("ports", ())
    }
    assert published == {
        "8080": ("serving-api", "127.0.0.1"),
        "8081": ("webapp", "127.0.0.1"),
        "8082": ("reporting", "127.0.0.1"),
        "9090": ("prometheus", "127.0.0.1"),
        "3000": ("grafana", "127.0.0.1"),
    }


def test_what_asks_for_no_login_is_published_on_this_machine_whatever_is_set(filled_in: Path) -> None:
    with filled_in.open("a") as file:
        file.write("PUBLISH_ADDRESS=0.0.0.0\n")
    found = json.loads(compose("config", "--format", "json", env_file=filled_in).stdout)["services"]
    assert [found[name]["ports"][0]["host_ip"] for name in ("reporting", "prometheus")] == ["127.0.0.1"] * 2
    assert found["serving-api"]["ports"][0]["host_ip"] == "0.0.0.0"


def test_the_database_is_reached_by_ours_alone_and_reaches_nothing(filled_in: Path) -> None:
    whole = json.loads(compose("--profile", "*", "config", "--format", "json", env_file=filled_in).stdout)
    assert whole["networks"]["database"]["internal"] is True
    near = {name for name, service in whole["services"].items() if "database" in service["networks"]}
    assert near == {*OURS, "postgres"}
    assert "ports" not in whole["services"]["postgres"]


@pytest.mark.parametrize(
    "path",
    ["deploy/Dockerfile", *(f"tests/stack/standin/{n}/Dockerfile" for n in ("postgres", "prometheus"))],
)
def test_hadolint_finds_nothing(path: str) -> None:
    run = subprocess.run([BIN / "hadolint", "--no-color", path], cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, ""), run.stdout


def test_every_folder_of_the_program_is_sent_to_the_image_that_runs_it() -> None:
    wanted = set(re.findall(r"(?m)^!(\w+)$", (ROOT / ".dockerignore").read_text()))
    program = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert wanted == program | {"static", "templates", "LICENSE"}


def test_grafana_is_given_the_data_source_that_the_dashboards_name() -> None:
    folder = ROOT / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((folder / "datasources/rebento.yml").read_text())["datasources"]
    named = set()
    for file in (ROOT / "monitoring/grafana/dashboards").glob("*.json"):
        named |= set(re.findall(r'"uid": "(rebento-prometheus|[^"]*prometheus[^"]*)"', file.read_text()))
    assert named == {source["uid"]}
    (provider,) = yaml.safe_load((folder / "dashboards/rebento.yml").read_text())["providers"]
    assert provider["options"]["path"] == "/etc/grafana/rebento"


def test_prometheus_in_a_container_scrapes_the_containers() -> None:
    jobs = yaml.safe_load((ROOT / "monitoring/prometheus/prometheus.yml").read_text())["scrape_configs"]
    named = {Path(job["file_sd_configs"][0]["files"][0]).name for job in jobs}
    there = {
        file.name: yaml.safe_load(file.read_text()) for file in (ROOT / "deploy/prometheus/targets").iterdir()
    }
    assert there == {
        "runner.yml": [{"targets": ["serving-api:8080"]}],
        "pages.yml": [{"targets": ["webapp:8081"]}],
    }
    assert named == there.keys()
