"""What answers: the API alone, or with all that goes beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from commands.options import UseCaseOption
from commands.removal import remove_old_predictions
from commands.speech import say, speak_as
from installation import Installation, bento_folder
from settings import Settings, read_settings
from storage.database import Database

if TYPE_CHECKING:
    from supervisor.children import Child


def serve(use_case: UseCaseOption = "") -> None:
    """Serve the Bento in Production and nothing else; wait for one where there is none. For a container.

    It trains nothing and starts neither trainer nor pages: run them elsewhere with `rebento trainer`,
    `rebento web` and `rebento reporter`.
    """
    speak_as("supervisor")
    place = Installation.find(read_settings(), use_case)
    with place.database() as database:
        serve_place(place, database, hourly=lambda: remove_old_predictions(place))


def serve_place(
    place: Installation, database: Database, *, hourly: Callable[[], object], children: Sequence[Child] = ()
) -> None:
    """Serves a use case, with other processes beside the API, until told to stop."""
    from supervisor.plan import Plan
    from supervisor.up import serve as keep

    settings = place.settings
    champion = place.champion(database)
    plan = Plan(
        use_case=place.use_case_name,
        bento=None if champion is None else champion.tag,
        folder_of=lambda tag: bento_folder(settings.home, tag),
        home=settings.home,
        machine_home=settings.machine_home,
        host=settings.host,
        port=settings.api_port,
        workers=settings.workers,
        environment=environment_of(settings),
        drain_seconds=settings.drain_seconds,
        probation_seconds=place.use_case().policy.probation_seconds,
        children=children,
    )
    keep(plan, database, hourly=hourly, say=say)


def environment_of(settings: Settings) -> dict[str, str]:
    """What the processes of an installation are started with."""
    return {
        **settings.environment(),
        "BENTOML_HOME": str(settings.home / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
    }
