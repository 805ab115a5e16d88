"""What runs: the service, the trainer, the pages."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from commands.learning import train_now
from commands.options import UseCaseOption, reachable
from commands.removal import remove_old
from commands.reports import has_evidently, ui_address, ui_command, ui_host
from commands.serving import environment_of, serve_place
from commands.speech import say, speak_as
from installation import Installation
from loop.refusals import NothingInProduction
from runner.priority import at_low_priority
from settings import read_settings
from supervisor.hourly import every_hour

if TYPE_CHECKING:
    from supervisor.children import Child


def up(use_case: UseCaseOption = "") -> None:
    """Serve the Bento in Production; train a first one where there is none. Stops at Ctrl-C."""
    speak_as("supervisor")
    from supervisor.children import Child

    place = Installation.find(read_settings(), use_case)
    with place.database() as database:
        if place.champion(database) is None:
            say(f"Nothing of {place.use_case_name} is in Production yet: training a first model.")
            train_now(place, as_of=None, trigger="first", reason="nothing was in Production")
        if place.champion(database) is None:
            raise NothingInProduction(f"the training of {place.use_case_name} put nothing in Production")
        environment = environment_of(place.settings)
        learn = [sys.executable, "-m", "cli", "trainer", "--use-case", place.use_case_name]
        show = [sys.executable, "-m", "cli", "web", "--use-case", place.use_case_name]
        children = [
            Child("trainer", learn, environment),
            Child("web", show, environment),
            *_reporting(place, environment),
            *_annotations(place, environment),
        ]
        serve_place(place, database, hourly=lambda: remove_old(place), children=children)


def _reporting(place: Installation, environment: dict[str, str]) -> list[Child]:
    """The reporter and Evidently's pages; where their extra is not installed, the service goes on without."""
    from supervisor.children import Child

    if not has_evidently():
        say("No reports: pip install 'rebento[reporting]' brings Evidently, which makes them.")
        return []
    return [
        Child(
            "reporter",
            [sys.executable, "-m", "cli", "reporter", "--use-case", place.use_case_name],
            environment,
        ),
        Child("reporting pages", ui_command(place.settings, ui_host(place.settings)), environment),
    ]


def _annotations(place: Installation, environment: dict[str, str]) -> list[Child]:
    """What marks promotions and trainings in Grafana's graphs, where one is named."""
    from supervisor.children import Child

    if not (place.settings.grafana_url and place.settings.grafana_token):
        return []
    watch = [sys.executable, "-m", "cli", "grafana", "watch", "--use-case", place.use_case_name]
    return [Child("annotations", watch, environment)]


def trainer(
    use_case: UseCaseOption = "",
    alone: Annotated[
        bool,
        typer.Option(
            "--alone",
            help="Also train a first version where there is none, and remove once an hour what is kept no "
            "longer, as `rebento up` does.",
        ),
    ] = False,
) -> None:
    """Do training runs as they are asked for. `rebento up` starts this; a container's stands --alone."""
    speak_as("trainer")
    from loop.stopping import until_told_to_stop
    from training.worker import Trainer

    place = Installation.find(read_settings(), use_case)
    with place.database() as database, until_told_to_stop("trainer") as stopping:
        if alone:
            every_hour(lambda: remove_old(place), stopping)
        Trainer(
            place.use_case_name,
            place.use_case,
            home=place.settings.home,
            data=place.settings.data,
            database=database,
            stopping=stopping,
            is_alone=alone,
        ).work()


def web(use_case: UseCaseOption = "") -> None:
    """Serve the pages. `rebento up` starts this; alone it serves a container."""
    speak_as("web")
    import numpy  # noqa: F401  # the threads that it starts would keep the low priority

    from webapp.plan import Plan, Setting

    serve = at_low_priority(_page_server)
    place = Installation.find(read_settings(), use_case)
    settings = place.settings
    with place.database():  # migrated before the first page asks
        pass
    defaults = type(settings)()
    shown = tuple(
        Setting(
            f"REBENTO_{name.upper()}",
            str(value),
            str(type(settings).model_fields[name].description),
            value == getattr(defaults, name),
        )
        for name, value in settings
    )
    plan = Plan(
        use_case=place.use_case_name,
        read_use_case=place.use_case,
        home=settings.home,
        database_url=settings.database,
        api_url=settings.api_url or f"http://{reachable(settings.host)}:{settings.api_port}",
        api_token=settings.api_token,
        reporting_url=ui_address(settings),
        host=settings.host,
        hosts=settings.host_names,
        settings=shown,
    )
    serve(plan, settings.host, settings.web_port, say)


def _page_server() -> Callable[..., None]:
    from webapp.server import serve

    return serve
