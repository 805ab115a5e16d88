"""Settings are typed, complete in the README, and wrong ones are named together."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from settings import Settings, SettingsError, read_settings

ROOT = Path(__file__).resolve().parents[1]


def test_the_readmes_table_names_every_setting_with_its_default() -> None:
    table = dict(
        re.findall(r"^\| `(REBENTO_[A-Z_]+)` \| ([^|]*) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    )
    fields = {f"REBENTO_{name.upper()}": field for name, field in Settings.model_fields.items()}
    assert set(table) == set(fields)
    for name, field in fields.items():
        shown = table[name].strip().strip("`").replace(",", "")
        assert shown in (str(field.default), "" if field.default == "" else str(field.default)), name


def test_all_mistakes_are_listed_together() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({"REBENTO_API_PORT": "http", "REBENTO_WORKERS": "0", "REBENTO_WORKER": "2"})
    for name in ("REBENTO_API_PORT", "REBENTO_WORKERS", "REBENTO_WORKER is not a setting"):
        assert name in str(caught.value)


def test_a_stored_bento_passes_over_settings_that_came_after_it() -> None:
    later = {"REBENTO_LATER": "7", "REBENTO_WORKERS": "3"}
    assert read_settings(later, is_stored_bento=True).workers == 3
    with pytest.raises(SettingsError, match="REBENTO_LATER"):
        read_settings(later)


def test_a_host_beyond_this_machine_needs_a_token() -> None:
    with pytest.raises(SettingsError, match="REBENTO_API_TOKEN"):
        read_settings({"REBENTO_HOST": "0.0.0.0"})
    assert read_settings({"REBENTO_HOST": "0.0.0.0", "REBENTO_API_TOKEN": "s"}).host == "0.0.0.0"
    assert read_settings({"REBENTO_HOST": "127.0.0.2"}).is_loopback


def test_state_has_an_absolute_place_and_another_process_reads_the_same_settings() -> None:
    settings = read_settings({"REBENTO_HOME": "somewhere", "REBENTO_WORKERS": "3"})
    assert settings.home == Path.cwd() / "somewhere"
    assert read_settings(settings.environment()) == settings
    assert settings.database == f"sqlite:///{settings.home}/rebento.sqlite"
    assert read_settings({}, default_home=Path("/elsewhere")).home == Path("/elsewhere")


def test_a_relative_sqlite_file_is_the_same_one_for_every_process() -> None:
    assert (
        read_settings({"REBENTO_DATABASE_URL": "sqlite:///a.db"}).database == f"sqlite:///{Path.cwd()}/a.db"
    )
    assert read_settings({"REBENTO_DATABASE_URL": "sqlite:////b/a.db"}).database == "sqlite:////b/a.db"


@pytest.mark.parametrize("wrong", ["serving-api:8080", "//serving-api", "ftp://a", "http://", "http://a:x"])
@pytest.mark.parametrize(
    "name", ["REBENTO_API_URL", "REBENTO_REPORTING_URL", "REBENTO_GRAFANA_URL", "REBENTO_PROMETHEUS_URL"]
)
def test_an_address_that_is_no_http_url_is_refused_with_an_example(name: str, wrong: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}=.*write a whole http or https URL, such as http"):
        read_settings({name: wrong})
    assert getattr(read_settings({name: "https://a.example/x"}), name.removeprefix("REBENTO_").lower())


def test_a_token_that_no_header_can_carry_is_refused_and_not_told() -> None:
    for wrong in ("secret\nglsa", "secret glsa", "secreté"):
        with pytest.raises(SettingsError, match="REBENTO_GRAFANA_TOKEN") as refused:
            read_settings({"REBENTO_GRAFANA_TOKEN": wrong})
        assert "secret" not in str(refused.value)
    assert read_settings({"REBENTO_GRAFANA_TOKEN": " glsa_a-B.9\n"}).grafana_token == "glsa_a-B.9"


def test_allowed_hosts_are_names_alone() -> None:
    assert read_settings({"REBENTO_ALLOWED_HOSTS": "A.example, b ,"}).host_names == ("a.example", "b")
    assert read_settings({}).host_names == ()
    for wrong in ("https://a.example", "a:8081", "a b", "*"):
        with pytest.raises(SettingsError, match=r"REBENTO_ALLOWED_HOSTS: .* is no host name"):
            read_settings({"REBENTO_ALLOWED_HOSTS": f"fine,{wrong}"})


def test_a_token_and_a_password_are_never_shown() -> None:
    assert "secret" not in repr(read_settings({"REBENTO_API_TOKEN": "secret"}))
    url = "postgresql+psycopg://rebento:secret@127.0.0.1/rebento"
    assert "secret" not in repr(read_settings({"REBENTO_DATABASE_URL": url}))


def test_a_password_that_would_be_taken_for_the_host_is_refused_and_not_told() -> None:
    with pytest.raises(SettingsError, match="%40") as refused:
        read_settings({"REBENTO_DATABASE_URL": "postgresql+psycopg://rebento:p@secret/9@127.0.0.1/rebento"})
    assert "secret" not in str(refused.value)
