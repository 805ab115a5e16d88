"""What Grafana is to show."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import typer

from commands.options import UseCaseOption
from commands.speech import speak_as
from installation import Installation
from loop.refusals import Refusal, StorageUnavailable
from settings import Settings, read_settings
from storage.database import Database
from storage.events import loop_events
from terminal import out

if TYPE_CHECKING:
    from monitoring.grafana.push import Grafana

log = logging.getLogger("rebento.grafana")

grafana = typer.Typer(
    help="Put dashboards and annotations into a Grafana that is there already.", no_args_is_help=True
)
_WATCH_SECONDS = 10.0


@grafana.command()
def push(use_case: UseCaseOption = "") -> None:
    """Make folder, data source and dashboards, and mark what changed the model. Again changes nothing."""
    place = Installation.find(read_settings(), use_case)
    reached = _reach(place.settings)
    for line in reached.push(place.settings.prometheus_url):
        out.print(line, markup=False)
    with place.database() as database:
        out.print(f"annotations: {_annotate(reached, place, database)} made")


@grafana.command()
def watch(use_case: UseCaseOption = "") -> None:
    """Mark promotions, rollbacks and trainings as they happen. `rebento up` starts this by itself."""
    speak_as("grafana")
    from loop.stopping import until_told_to_stop

    place = Installation.find(read_settings(), use_case)
    said = ""
    reached: Grafana | None = None
    with place.database() as database, until_told_to_stop("grafana") as stopping:
        while True:
            try:
                reached = reached or _reach(place.settings)
                _annotate(reached, place, database)
                said = ""
            except (StorageUnavailable, Refusal) as refusal:  # it may be back at the next look
                if str(refusal) != said:
                    log.warning("not marked yet: %s", refusal)
                said = str(refusal)
            if stopping.wait(_WATCH_SECONDS):
                return


def _annotate(reached: Grafana, place: Installation, database: Database) -> int:
    from monitoring.grafana.push import Event

    with database.reading() as connection:
        found = loop_events(connection, place.use_case_name)
    events = [Event(one.key, one.kind, one.at_ms, one.text) for one in found]
    return reached.annotate(place.use_case_name, events)


def _reach(settings: Settings) -> Grafana:
    try:
        from monitoring.grafana.push import Grafana
    except ModuleNotFoundError as error:
        raise Refusal(
            "this needs grafana-client, which is not installed: pip install 'rebento[grafana]' brings it"
        ) from error
    if not settings.grafana_url or not settings.grafana_token:
        raise Refusal(
            "say where Grafana is: set REBENTO_GRAFANA_URL and REBENTO_GRAFANA_TOKEN (a service account's "
            "token with the role Admin)"
        )
    return Grafana(settings.grafana_url, settings.grafana_token)
