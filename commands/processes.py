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
            children=[Child("trainer", learn, environment)],
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
