"""What Grafana is to show."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from commands.options import UseCaseOption
from commands.speech import speak_as
from installation import Installation
from loop.claims import Claim
from loop.clock import now_ms
from loop.refusals import Refusal, StorageUnavailable
from settings import Settings, read_settings
from storage.database import Database
from storage.events import loop_events
from storage.presence import beat_as, say_farewell
from storage.processes import all_alive
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
        turn = Turn(database, place.use_case_name, Claim.of_this_process("annotator", now_ms()))
        while True:
            try:
                if turn.take():
                    reached = reached or _reach(place.settings)
                    _annotate(reached, place, database)
                said = ""
            except (StorageUnavailable, Refusal) as refusal:  # it may be back at the next look
                turn.leave()
                if str(refusal) != said:
                    log.warning("not marked yet: %s", refusal)
                said = str(refusal)
            if stopping.wait(_WATCH_SECONDS):
                turn.leave()
                return


class Turn:
    """Of several that watch one use case, on hosts of their own perhaps, the youngest marks: else an event
    might be marked twice. Another takes over once it has left, or has been silent for three looks."""

    def __init__(
        self, database: Database, use_case: str, claim: Claim, clock: Callable[[], int] = now_ms
    ) -> None:
        self._database, self._use_case, self._claim, self._clock = database, use_case, claim, clock
        self._name = f"{claim.role} {claim.host}:{claim.pid}"

    def take(self) -> bool:
        """Says that this process is there; whether it is the one that marks. Raises StorageUnavailable."""
        at_ms, within_ms = self._clock(), round(3_000 * _WATCH_SECONDS)
        with self._database.writing(durable=False) as connection:
            beat_as(connection, self._use_case, self._name, self._claim, at_ms)
            there = all_alive(connection, self._use_case, self._claim.role, at_ms=at_ms, within_ms=within_ms)
        youngest = max(there, key=lambda one: (one.started_at_ms, one.name), default=None)
        return youngest is None or youngest.name == self._name

    def leave(self) -> None:
        """Leaves the turn to others."""
        say_farewell(self._database, self._use_case, self._name, self._claim)


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
