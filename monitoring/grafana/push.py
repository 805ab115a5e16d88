"""Dashboards, data source and annotations into a Grafana that is there already, through its API.

Doing it again changes nothing that is right. Needs a service account's token with the role Admin (Editor is
enough where the data source exists): Grafana lets nobody else make data sources.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests
from grafana_client import GrafanaApi
from grafana_client.client import GrafanaClientError, GrafanaException, GrafanaUnauthorizedError

from loop.refusals import Refusal

FOLDER, SOURCE = "rebento", "rebento-prometheus"
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
    """'promotion', 'rollback', 'training'."""
    at_ms: int
    text: str


class Grafana:
    """One Grafana, reached by URL and token."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._api = GrafanaApi.from_url(url.rstrip("/") + "/", credential=token, timeout=_SECONDS)

    def push(self, prometheus_url: str) -> list[str]:
        """Folder, data source and dashboards as they should be, a sentence each. Raises GrafanaRefuses."""
        said = [self._folder(), self._source(prometheus_url)]
        return said + [self._dashboard(path) for path in sorted(DASHBOARDS.glob("*.json"))]

    def annotate(self, use_case: str, events: Iterable[Event]) -> int:
        """Writes the events that Grafana does not have yet; how many. Raises GrafanaRefuses."""
        there = self._ask(
            lambda: self._api.annotations.get_annotation(tags=["rebento", use_case], limit=_MOST_ANNOTATIONS)
        )
        known = {tag for one in there for tag in one["tags"]}
        new = [event for event in events if event.key not in known]
        for event in new:
            tags = ["rebento", use_case, event.kind, event.key]
            self._ask(self._writing(event, tags))
        return len(new)

    def _writing(self, event: Event, tags: list[str]) -> Callable[[], Any]:
        return lambda: self._api.annotations.add_annotation(time_from=event.at_ms, tags=tags, text=event.text)

    def _folder(self) -> str:
        if self._found(lambda: self._api.folder.get_folder(FOLDER)) is not None:
            return "folder Rebento: there"
        self._ask(lambda: self._api.folder.create_folder("Rebento", uid=FOLDER))
        return "folder Rebento: made"

    def _source(self, prometheus_url: str) -> str:
        wanted = {
            "name": "Rebento Prometheus",
            "type": "prometheus",
            "uid": SOURCE,
            "url": prometheus_url,
            "access": "proxy",
            "jsonData": {"httpMethod": "POST"},
        }
        there = self._found(lambda: self._api.datasource.get_datasource_by_uid(SOURCE))
        if there is None:
            self._ask(lambda: self._api.datasource.create_datasource(wanted))
            return f"data source {prometheus_url}: made"
        if all(there.get(key) == value for key, value in wanted.items()):
            return f"data source {prometheus_url}: there"
        self._ask(lambda: self._api.datasource.update_datasource_by_uid(SOURCE, wanted))
        return f"data source {prometheus_url}: changed"

    def _dashboard(self, path: Path) -> str:
        wanted = json.loads(path.read_text(encoding="utf-8"))
        title = wanted["title"]
        there = self._found(lambda: self._api.dashboard.get_dashboard(path.stem))
        if there is not None and there.get("meta", {}).get("folderUid") == FOLDER:
            kept = {key: value for key, value in there["dashboard"].items() if key not in _KEPT_BY_GRAFANA}
            if kept == wanted:
                return f"{title}: there"
        order = {
            "dashboard": wanted,
            "folderUid": FOLDER,
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
