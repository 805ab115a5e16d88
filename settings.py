"""Every REBENTO_* variable: typed, read once by an entry point, handed on as one frozen object."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")

_SENDABLE = re.compile(r"[!-~]*")
"""What a token may hold: it travels in a header."""
_URLS = {
    "api_url": "http://serving-api:8080",
    "reporting_url": "https://reports.example.org",
    "grafana_url": "https://grafana.example.org",
    "prometheus_url": "http://prometheus:9090",
}


class SettingsError(ValueError):
    """One or more REBENTO_* variables are wrong; the text lists all of them."""


DEFAULT_USE_CASE = "doctor_visits"
CURRENT_USE_CASE = "current_use_case"
"""Under the home: the name of the use case that `rebento init` made current."""


class Settings(BaseModel):
    """The settings in force. Each field is the variable REBENTO_<FIELD NAME IN CAPITALS>."""

    model_config = ConfigDict(frozen=True)

    home: Path = Field(Path("var"), description="where all state lives; made absolute")
    local: str = Field(
        "", description="what this machine alone needs: lock, process list; empty: REBENTO_HOME"
    )
    database_url: str = Field(
        "", repr=False, description="SQLAlchemy URL; empty: an SQLite file under REBENTO_HOME"
    )
    use_case: str = Field("", description="the use case; empty: the one `rebento init` made current")
    use_cases: Path = Field(Path("use_cases"), description="folder in which `rebento init` writes use cases")
    data: Path = Field(Path("data"), description="folder that relative paths in a use case start from")
    host: str = Field("127.0.0.1", description="address to bind; anything but loopback needs a token")
    api_port: int = Field(8080, ge=1, le=65535, description="port of the API")
    web_port: int = Field(8081, ge=1, le=65535, description="port of the web pages")
    reporting_port: int = Field(8082, ge=1, le=65535, description="port of the Evidently UI")
    allowed_hosts: str = Field(
        "",
        description="names, comma-separated, under which the pages may be asked for beside the machine's own",
    )
    api_url: str = Field("", description="the API as the pages reach it; empty: on this machine")
    reporting_url: str = Field(
        "", description="the Evidently UI as browsers reach it; empty: on this machine"
    )
    workers: int = Field(1, ge=1, le=256, description="worker processes of the API")
    api_token: str = Field("", repr=False, description="bearer token that callers must send; empty: none")
    grafana_url: str = Field("", description="a Grafana that is there already; empty: none")
    grafana_token: str = Field("", repr=False, description="token of a service account there, role Admin")
    prometheus_url: str = Field("http://127.0.0.1:9090", description="Prometheus, as that Grafana reaches it")
    max_rows: int = Field(10_000, ge=1, description="most rows in one call")
    max_body_bytes: int = Field(16 * 1024 * 1024, ge=1024, description="most bytes in one call's body")
    max_explain_rows: int = Field(100, ge=1, description="most rows in one /explain call")
    log_queue_rows: int = Field(100_000, ge=1, description="predictions held while storage is slow or down")
    log_commit_milliseconds: int = Field(20, ge=1, le=10_000, description="longest wait before a log commit")
    drain_seconds: float = Field(30.0, ge=0, description="time a stopping worker has to answer what it holds")
    log_format: Literal["text", "json"] = Field("text", description="logs as text, or one JSON object a line")

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite:///{self.home / 'rebento.sqlite'}"

    @property
    def missing_file(self) -> Path | None:
        """The SQLite file in force where it is not there: opening it would make it."""
        file = self.database.removeprefix("sqlite:///")
        return Path(file) if file != self.database and not Path(file).exists() else None

    @property
    def current_use_case(self) -> str:
        """The use case that is meant where none is named: REBENTO_USE_CASE, else the one that `rebento init`
        made current, else the one that comes along."""
        file = self.home / CURRENT_USE_CASE
        made_current = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
        return self.use_case or made_current or DEFAULT_USE_CASE

    @property
    def machine_home(self) -> Path:
        """Where this machine's supervisor keeps its lock and its list of processes: never on a shared disk
        that several machines or containers use, because process ids mean something on one of them only."""
        return Path(self.local) if self.local else self.home

    @property
    def host_names(self) -> tuple[str, ...]:
        """The names of `allowed_hosts`, lower case."""
        names = (name.strip().lower() for name in self.allowed_hosts.split(","))
        return tuple(name for name in names if name)

    @property
    def is_loopback(self) -> bool:
        return self.host in ("127.0.0.1", "localhost", "::1") or self.host.startswith("127.")

    def environment(self) -> dict[str, str]:
        """The variables that make another process read these same settings.

        Defaults are left out: a Bento built earlier refuses variables that came later.
        """
        defaults = Settings()
        return {
            f"REBENTO_{name.upper()}": str(value) for name, value in self if value != getattr(defaults, name)
        }


def read_settings(
    environ: Mapping[str, str] | None = None,
    *,
    default_home: Path | None = None,
    is_stored_bento: bool = False,
) -> Settings:
    """Settings from the environment. Raises SettingsError that lists every mistake at once.

    The code in a stored Bento passes over variables that it does not know: they came after it was built.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, str | Path] = {}
    if default_home is not None:
        values["home"] = default_home
    unknown = []
    for key, text in environ.items():
        if not key.startswith("REBENTO_") or key.startswith("REBENTO_TEST_"):
            continue
        name = key.removeprefix("REBENTO_").lower()
        if name not in Settings.model_fields:
            unknown += [] if is_stored_bento else [key]
        elif text.strip():
            values[name] = text.strip()
    mistakes = [f"{key} is not a setting of Rebento (see the table in README.md)" for key in sorted(unknown)]
    settings = Settings()
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        mistakes += [
            f"REBENTO_{str(item['loc'][0]).upper()}={item['input']!r}: {item['msg'].lower()}"
            for item in error.errors()
        ]
    if not settings.is_loopback and not settings.api_token:
        mistakes.append(
            f"REBENTO_HOST={settings.host} listens beyond this machine: set REBENTO_API_TOKEN as well, "
            "or leave the host at 127.0.0.1"
        )
    mistakes += _wrong_places(settings)
    if mistakes:
        raise SettingsError("; ".join(mistakes))
    absolute: dict[str, Path | str] = {
        name: getattr(settings, name).expanduser().absolute() for name in ("home", "use_cases", "data")
    }
    if settings.local:
        absolute["local"] = str(Path(settings.local).expanduser().absolute())
    # A worker runs inside its Bento's folder, where a relative file would be another one.
    if settings.database_url.startswith("sqlite:///"):
        file = Path(settings.database_url.removeprefix("sqlite:///")).expanduser().absolute()
        absolute["database_url"] = f"sqlite:///{file}"
    return settings.model_copy(update=absolute)


def _wrong_places(settings: Settings) -> list[str]:
    """What is wrong with addresses, a sentence each."""
    found = []
    if settings.database_url.count("@") > 1:  # what follows the first would be taken for the host and shown
        found.append(
            "REBENTO_DATABASE_URL has more than one @: write one in the password as %40 (a / as %2F, a % as "
            "%25), or leave the password out and set PGPASSWORD"
        )
    if not _SENDABLE.fullmatch(settings.grafana_token):
        found.append(
            "REBENTO_GRAFANA_TOKEN holds a space, a line break or a letter beyond ASCII: copy it again"
        )
    for name, example in _URLS.items():
        text = getattr(settings, name)
        try:
            parts = urlsplit(text)
            is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_url = False
        if text and not is_url:
            found.append(
                f"REBENTO_{name.upper()}={text!r}: write a whole http or https URL, such as {example}"
            )
    for host in settings.host_names:
        if not _HOST_NAME.fullmatch(host):
            found.append(
                f"REBENTO_ALLOWED_HOSTS: {host!r} is no host name; write names alone, without http:// or a "
                "port, such as churn.example.org"
            )
    return found
