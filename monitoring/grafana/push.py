"""Dashboards, data source and annotations into a Grafana that is there already, through its API.

Doing it again changes nothing that is right. Needs a service account's token with the role Admin (Editor is
enough where the data source exists): Grafana lets nobody else make data sources. What was provisioned by
files is left to them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests
from grafana_client import GrafanaApi
from grafana_client.client import GrafanaClientError, GrafanaException, GrafanaUnauthorizedError

from loop.refusals import Refusal

FOLDER, SOURCE = "rebento", "rebento-prometheus"
_TITLE, _SOURCE_NAME = "Rebento", "Rebento Prometheus"
#: The first that knows data sources by uid.
_LEAST_VERSION = 9
DASHBOARDS = Path(__file__).with_name("dashboards")
_MOST_ANNOTATIONS = 10_000
_SECONDS = 10.0
#: What Grafana adds to a dashboard when it keeps it.
_KEPT_BY_GRAFANA = ("id", "version")
Answer = TypeVar("Answer")


class GrafanaRefuses(Refusal):
    """Grafana cannot be reached, or does not do as it is asked."""


@dataclass(frozen=True, slots=True)
class Event:
    """What changed the model, or tried to."""

    key: str
    """Tells it from every other, such as 'promotion 12'."""
    kind: str
    """'promotion', 'rollback', 'failed', 'training'."""
    at_ms: int
    text: str


class Grafana:
    """One Grafana, reached by URL and token."""

    def __init__(self, url: str, token: str) -> None:
        self._url = re.sub(r"//[^/@]*@", "//", url)  # as it is told: without a password
        self._api = GrafanaApi.from_url(url.rstrip("/") + "/", credential=token, timeout=_SECONDS)
        self._marked: set[tuple[str, Event]] = set()
        """What Grafana is known to have, so that it is not asked again and again."""

    def push(self, prometheus_url: str) -> list[str]:
        """Folder, data source and dashboards as they should be, a sentence each. Raises GrafanaRefuses."""
        self._recognise()
        folder, said = self._folder()
        source = self._source(prometheus_url)
        return [said, source, *(self._dashboard(path, folder) for path in sorted(DASHBOARDS.glob("*.json")))]

    def annotate(self, use_case: str, events: Iterable[Event]) -> int:
        """Writes the events that Grafana does not have yet; how many. Raises GrafanaRefuses.

        An event is known by its key and its moment: after a new beginning there is a 'promotion 1' again.
        """
        events = [event for event in events if (use_case, event) not in self._marked]
        if not events:
            return 0
        there = self._ask(
            lambda: self._api.annotations.get_annotation(tags=["rebento", use_case], limit=_MOST_ANNOTATIONS)
        )
        known = {(tag, one["time"]) for one in there for tag in one["tags"]}
        made = 0
        for event in events:
            if (event.key, event.at_ms) not in known:
                self._ask(self._writing(event, ["rebento", use_case, event.kind, event.key]))
                made += 1
            self._marked.add((use_case, event))
        return made

    def _writing(self, event: Event, tags: list[str]) -> Callable[[], Any]:
        return lambda: self._api.annotations.add_annotation(time_from=event.at_ms, tags=tags, text=event.text)

    def _recognise(self) -> None:
        """Refuses what is no Grafana, or one that is too old."""
        health = self._found(self._api.health.check)
        if not isinstance(health, dict) or "database" not in health:
            raise GrafanaRefuses(
                f"what answers at {self._url} is no Grafana; set REBENTO_GRAFANA_URL to where it is"
            )
        number = str(health.get("version", "")).partition(".")[0]  # some do not tell strangers
        if number.isdecimal() and int(number) < _LEAST_VERSION:
            raise GrafanaRefuses(
                f"Grafana at {self._url} is {health['version']}; {_LEAST_VERSION}.0 or newer is needed"
            )

    def _folder(self) -> tuple[str, str]:
        """Its uid, and what was done. One of the same title that a person made is taken as it is."""
        if self._found(lambda: self._api.folder.get_folder(FOLDER)) is not None:
            return FOLDER, f"folder {_TITLE}: there"
        for one in self._ask(self._api.folder.get_all_folders):
            if one["title"].strip().lower() == _TITLE.lower():
                return str(one["uid"]), f"folder {_TITLE}: there"
        self._ask(lambda: self._api.folder.create_folder(_TITLE, uid=FOLDER))
        return FOLDER, f"folder {_TITLE}: made"

    def _source(self, prometheus_url: str) -> str:
        wanted = {
            "name": _SOURCE_NAME,
            "type": "prometheus",
            "uid": SOURCE,
            "url": prometheus_url,
            "access": "proxy",
            "jsonData": {"httpMethod": "POST"},
        }
        there = self._found(lambda: self._api.datasource.get_datasource_by_uid(SOURCE))
        if there is None:
            self._make_source(wanted)
            return f"data source {prometheus_url}: made"
        if there.get("readOnly"):
            return f"data source {there.get('url')}: there, provisioned by files"
        if all(there.get(key) == value for key, value in wanted.items()):
            return f"data source {prometheus_url}: there"
        self._ask(lambda: self._api.datasource.update_datasource_by_uid(SOURCE, wanted))
        return f"data source {prometheus_url}: changed"

    def _make_source(self, wanted: dict[str, Any]) -> None:
        try:
            self._ask(lambda: self._api.datasource.create_datasource(wanted))
        except GrafanaRefuses as refusal:
            cause = refusal.__cause__
            if isinstance(cause, GrafanaClientError) and cause.status_code == 409:
                raise GrafanaRefuses(
                    f"Grafana at {self._url} has another data source called {_SOURCE_NAME}: rename it or "
                    "remove it there, then push again"
                ) from cause
            raise

    def _dashboard(self, path: Path, folder: str) -> str:
        wanted = json.loads(path.read_text(encoding="utf-8"))
        for one in wanted["annotations"]["list"]:
            one["enable"] = "expr" not in one  # Prometheus would mark once more what is written here
        title = wanted["title"]
        there = self._found(lambda: self._api.dashboard.get_dashboard(path.stem))
        if there is not None and there.get("meta", {}).get("provisioned"):
            return f"{title}: there, provisioned by files"
        if there is not None and there.get("meta", {}).get("folderUid") == folder:
            kept = {key: value for key, value in there["dashboard"].items() if key not in _KEPT_BY_GRAFANA}
            if kept == wanted:
                return f"{title}: there"
        order = {
            "dashboard": wanted,
            "folderUid": folder,
            "overwrite": True,
            "message": "rebento grafana push",
        }
        self._ask(lambda: self._api.dashboard.update_dashboard(order))
        return f"{title}: {'made' if there is None else 'changed'}"

    def _found(self, ask: Callable[[], Answer]) -> Answer | None:
        """The answer; None where Grafana has no such thing."""
        try:
            return self._ask(ask)
        except GrafanaRefuses as refusal:
            cause = refusal.__cause__
            if isinstance(cause, GrafanaClientError) and cause.status_code == 404:
                return None
            raise

    def _ask(self, ask: Callable[[], Answer]) -> Answer:
        try:
            return ask()
        except GrafanaUnauthorizedError as error:
            raise GrafanaRefuses(
                f"Grafana at {self._url} does not know this token: make a service account's token there and "
                "set REBENTO_GRAFANA_TOKEN to it"
            ) from error
        except GrafanaClientError as error:
            if error.status_code == 403:
                raise GrafanaRefuses(
                    f"Grafana at {self._url} does not let this token do it ({error.message}): give its "
                    "service account the role Admin"
                ) from error
            raise GrafanaRefuses(f"Grafana at {self._url} refuses: {error.message}") from error
        except GrafanaException as error:
            raise GrafanaRefuses(
                f"Grafana at {self._url} failed: {error.message}; try again later"
            ) from error
        except requests.exceptions.JSONDecodeError as error:
            raise GrafanaRefuses(
                f"what answers at {self._url} is no Grafana; set REBENTO_GRAFANA_URL to where it is"
            ) from error
        except requests.exceptions.RequestException as error:
            raise GrafanaRefuses(
                f"Grafana cannot be reached at {self._url}: see that it runs, and that REBENTO_GRAFANA_URL "
                "is its address"
            ) from error
