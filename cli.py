"""The `rebento` command: its parts lie in `commands`."""

from __future__ import annotations

import sys

import typer

from commands.doctor import doctor
from commands.grafana import grafana
from commands.keeping import backup, restore
from commands.learning import init, train, verify
from commands.processes import trainer, up, web
from commands.reports import report, reporter
from commands.rows import erase, export, feedback, predict, prune
from commands.steering import pause, promote, quarantine, resume, rollback, versions
from loop.refusals import Refusal
from settings import SettingsError
from terminal import err

app = typer.Typer(
    help="Rebento turns a labelled data set into a model service that keeps itself true.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": 110},
)

# In the order in which a newcomer meets them.
for command in (
    *(up, init, train, predict, feedback, report, export),
    *(versions, promote, rollback, pause, resume, quarantine, verify, doctor, backup, restore),
    *(trainer, reporter, web, erase, prune),
):
    app.command()(command)
app.add_typer(grafana, name="grafana")


def main() -> None:
    """Entry point: a refusal is one sentence and exit code 1."""
    try:
        app()
    except (Refusal, SettingsError) as refusal:
        err.print(f"rebento: {refusal}", markup=False)
        sys.exit(1)
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        err.print(f"rebento: {named}{error.strerror or error}", markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
