"""All commands in the order in which a newcomer meets them."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.doctor import doctor
from commands.grafana import grafana
from commands.healthy import check
from commands.keeping import backup, restore
from commands.learning import init, train, verify
from commands.options import UseCaseOption
from commands.processes import trainer, up, web
from commands.reports import report, reporter
from commands.rows import erase, export, feedback, predict, prune
from commands.serving import serve
from commands.steering import pause, promote, quarantine, resume, rollback, versions

app = typer.Typer(
    help="Rebento turns a labelled data set into a model service that keeps itself true.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": 110},
)


def healthy(
    process: Annotated[
        str, typer.Argument(help="serving, webapp, reporting, trainer or annotations.", metavar="PROCESS")
    ],
    use_case: UseCaseOption = "",
) -> None:
    """Say whether one process of this machine is well; exit code 1 and why, where it is not."""
    print(check(process, use_case))


for command in (
    *(up, init, train, predict, feedback, report, export),
    *(versions, promote, rollback, pause, resume, quarantine, verify, doctor, backup, restore),
    *(serve, trainer, reporter, web, healthy, erase, prune),
):
    app.command()(command)
app.add_typer(grafana, name="grafana")
