"""What runs: the service, the trainer, the pages."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from commands.learning import train_now
from commands.options import UseCaseOption, reachable
from commands.reports import has_evidently, ui_address, ui_host
from installation import Installation, bento_folder
from loop.refusals import NothingInProduction
from settings import read_settings
from terminal import out

if TYPE_CHECKING:
    from supervisor.children import Child


def up(use_case: UseCaseOption = "") -> None:
    """Serve the Bento in Production; train a first one where there is none. Stops at Ctrl-C."""
    from supervisor.children import Child
    from supervisor.up import Plan, serve

    place = Installation.find(read_settings(), use_case)
    settings = place.settings
    with place.database() as database:
        if place.champion(database) is None:
            out.print(f"Nothing of {place.use_case_name} is in Production yet: training a first model.")
            train_now(place, as_of=None, trigger="first", reason="nothing was in Production")
        champion = place.champion(database)
        if champion is None:
            raise NothingInProduction(f"the training of {place.use_case_name} put nothing in Production")
        environment = {
            **settings.environment(),
            "BENTOML_HOME": str(settings.home / "bentoml"),
            "BENTOML_DO_NOT_TRACK": "True",
        }
        learn = [sys.executable, "-m", "cli", "trainer", "--use-case", place.use_case_name]
        show = [sys.executable, "-m", "cli", "web", "--use-case", place.use_case_name]
        plan = Plan(
            use_case=place.use_case_name,
            bento=champion.tag,
            folder_of=lambda tag: bento_folder(settings.home, tag),
            home=settings.home,
            host=settings.host,
            port=settings.api_port,
            workers=settings.workers,
            environment=environment,
            drain_seconds=settings.drain_seconds,
            probation_seconds=place.use_case().policy.probation_seconds,
            children=[
                Child("trainer", learn, environment),
                Child("web", show, environment),
                *_reporting(place, environment),
                *_annotations(place, environment),
            ],
        )
        serve(plan, database, hourly=place.prune, say=out.print)


def _reporting(place: Installation, environment: dict[str, str]) -> list[Child]:
    """The reporter and Evidently's pages; where their extra is not installed, the service goes on without."""
    from supervisor.children import Child

    if not has_evidently():
        out.print(
            "No reports: pip install 'rebento[reporting]' brings Evidently, which makes them.", markup=False
        )
        return []
    settings = place.settings
    address = ["--host", ui_host(settings), "--port", str(settings.reporting_port)]
    pages = ["--workspace", str(settings.home / "evidently"), *address]
    return [
        Child(
            "reporter",
            [sys.executable, "-m", "cli", "reporter", "--use-case", place.use_case_name],
            environment,
        ),
        Child("reporting pages", [sys.executable, "-m", "reporting.ui", *pages], environment),
    ]


def _annotations(place: Installation, environment: dict[str, str]) -> list[Child]:
    """What marks promotions and trainings in Grafana's graphs, where one is named."""
    from supervisor.children import Child

    if not (place.settings.grafana_url and place.settings.grafana_token):
        return []
    watch = [sys.executable, "-m", "cli", "grafana", "watch", "--use-case", place.use_case_name]
    return [Child("annotations", watch, environment)]


def trainer(use_case: UseCaseOption = "") -> None:
    """Do training runs as they are asked for. `rebento up` starts this; alone it serves a container."""
    from loop.stopping import until_told_to_stop
    from training.worker import Trainer

    place = Installation.find(read_settings(), use_case)
    with place.database() as database, until_told_to_stop("trainer", nice=10) as stopping:
        Trainer(
            place.use_case_name,
            place.use_case,
            home=place.settings.home,
            data=place.settings.data,
            database=database,
            stopping=stopping,
        ).work()


def web(use_case: UseCaseOption = "") -> None:
    """Serve the pages. `rebento up` starts this; alone it serves a container."""
    from webapp.plan import Plan, Setting
    from webapp.server import serve

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
        api_url=f"http://{reachable(settings.host)}:{settings.api_port}",
        api_token=settings.api_token,
        reporting_url=ui_address(settings),
        host=settings.host,
        settings=shown,
    )
    serve(plan, settings.host, settings.web_port, out.print)
