"""What runs: the service, the trainer."""

from __future__ import annotations

import sys

from commands.learning import train_now
from commands.options import UseCaseOption
from installation import Installation, bento_folder
from loop.refusals import NothingInProduction
from settings import read_settings
from terminal import out


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
            children=[Child("trainer", learn, environment), Child("web", show, environment)],
        )
        serve(plan, database, hourly=place.prune, say=out.print)


def trainer(use_case: UseCaseOption = "") -> None:
    """Do training runs as they are asked for. `rebento up` starts this; alone it serves a container."""
    from training.worker import Trainer, until_told_to_stop

    place = Installation.find(read_settings(), use_case)
    with place.database() as database, until_told_to_stop() as stopping:
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
        api_url=f"http://{_reachable(settings.host)}:{settings.api_port}",
        api_token=settings.api_token,
        reporting_url=f"http://{_reachable(settings.host)}:{settings.reporting_port}",
        host=settings.host,
        settings=shown,
    )
    serve(plan, settings.host, settings.web_port, out.print)


def _reachable(host: str) -> str:
    """An address that answers where `host` is bound, as part of a URL."""
    if host in ("0.0.0.0", ""):
        return "127.0.0.1"
    if host == "::":
        return "[::1]"
    return f"[{host}]" if ":" in host else host
