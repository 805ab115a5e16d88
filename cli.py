"""The `rebento` command. Each command is thin: it reads the settings, calls one thing, prints what came."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from installation import Installation, bento_folder, make_current
from loop.refusals import NothingInProduction, Refusal
from settings import SettingsError, read_settings
from terminal import bars, counting, err, out, outcome_table, version_lines

app = typer.Typer(
    help="Rebento turns a labelled data set into a model service that keeps itself true.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

UseCaseOption = Annotated[
    str, typer.Option("--use-case", help="Name of the use case; without it the current one.", metavar="NAME")
]
InputFile = Annotated[Path, typer.Argument(help="A CSV (plain or .gz) or Parquet file.", metavar="FILE")]


@app.command()
def up(use_case: UseCaseOption = "") -> None:
    """Serve the Bento in Production; train a first one where there is none. Stops at Ctrl-C."""
    from supervisor.up import serve

    place = Installation.find(read_settings(), use_case)
    with place.database() as database:
        if place.champion(database) is None:
            out.print(f"Nothing of {place.use_case_name} is in Production yet: training a first model.")
            _train(place, as_of=None, trigger="first", reason="nothing was in Production")
        champion = place.champion(database)
    if champion is None:
        raise NothingInProduction(f"the training of {place.use_case_name} put nothing in Production")
    settings = place.settings
    serve(
        champion.tag,
        folder=bento_folder(settings.home, champion.tag),
        host=settings.host,
        port=settings.api_port,
        count=settings.workers,
        environment={
            **settings.environment(),
            "BENTOML_HOME": str(settings.home / "bentoml"),
            "BENTOML_DO_NOT_TRACK": "True",
        },
        metrics_folder=settings.home / "metrics" / "api",
        drain_seconds=settings.drain_seconds,
        hourly=place.prune,
        say=out.print,
    )


@app.command()
def init(
    file: InputFile,
    target: Annotated[str, typer.Option(help="The column to predict.", metavar="COLUMN")],
    id: Annotated[str, typer.Option(help="The column that says whose row it is.", metavar="COLUMN")] = "",
    time: Annotated[str, typer.Option(help="The column that says when.", metavar="COLUMN")] = "",
    use_case: Annotated[str, typer.Option(help="Its name; without it the file's.", metavar="NAME")] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Write over a use case of that name.")] = False,
) -> None:
    """Write a new use case from FILE and make it the current one."""
    from use_cases.inference import infer_use_case, write_use_case

    settings = read_settings()
    inference = infer_use_case(file, target=target, id=id or None, time=time or None, name=use_case or None)
    path = write_use_case(inference, settings.use_cases, replace=replace)
    make_current(settings, inference.name)
    for note in inference.notes:
        out.print(f"- {note}", markup=False)
    out.print(f"Wrote {path}; {inference.name} is now the current use case.", markup=False)
    out.print("Next: rebento train")


@app.command()
def train(
    use_case: UseCaseOption = "",
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="Learn only from what was known on this day."),
    ] = None,
) -> None:
    """Train, compare the candidates, build a Bento, print the verdict."""
    place = Installation.find(read_settings(), use_case)
    _train(place, as_of=as_of, trigger="person", reason="rebento train")


@app.command()
def predict(
    file: InputFile,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write: .csv or .parquet.", metavar="FILE")
    ] = None,
    use_case: UseCaseOption = "",
) -> None:
    """Answer every row of FILE to another file. Nothing is logged."""
    from files.predictions import predict_file

    place = Installation.find(read_settings(), use_case)
    package = place.open_champion(threads=0)
    destination = output or file.with_name(f"{file.name.split('.')[0]}_predictions.csv")
    with counting("rows answered") as advanced:
        answer = predict_file(package, file, destination, advanced)
    if answer.ignored_columns:
        out.print(f"Columns the use case does not know were left aside: {', '.join(answer.ignored_columns)}")
    if answer.first_problem is not None:
        first = answer.first_problem
        out.print(
            f"{answer.refused:,} rows break the contract and have a problem instead of a prediction; "
            f"the first is row {first.row}, {first.column}: {first.problem}",
            markup=False,
        )
    out.print(
        f"{answer.rows:,} rows -> {destination} ({package.info.bento}; {answer.warned:,} with a warning)",
        markup=False,
    )


@app.command()
def feedback(file: InputFile, use_case: UseCaseOption = "") -> None:
    """Load true answers: prediction_id,target, or whole rows with the target column."""
    from files.feedback import load_feedback

    place = Installation.find(read_settings(), use_case)
    with place.engine() as engine, counting("answers stored") as advanced:
        receipt = load_feedback(engine, file, advanced)
    out.print(
        f"{receipt.accepted:,} accepted, {receipt.pending:,} of them wait for their prediction; "
        f"{receipt.production_rows:,} labelled production rows"
    )
    for run in receipt.training_runs:
        out.print(f"training requested: {run}")


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where the two files go.", metavar="FOLDER")] = Path("."),
    use_case: UseCaseOption = "",
) -> None:
    """Write ref_data.csv and prod_data.csv, embedded by the graph in Production."""
    from files.export import export_data

    place = Installation.find(read_settings(), use_case)
    with place.database() as database, counting("rows embedded") as advanced:
        exported = export_data(
            place.open_champion(threads=0), database, place.settings.home, folder, advanced
        )
    for path, rows in exported.files.items():
        out.print(f"{rows:,} rows -> {path}", markup=False)
    if exported.refused:
        out.print(
            f"{exported.refused:,} production rows do not fit the champion's contract and were left out"
        )


@app.command()
def versions(use_case: UseCaseOption = "") -> None:
    """List every Bento: stage, scores, since when and why."""
    place = Installation.find(read_settings(), use_case)
    with place.database() as database:
        for line in version_lines(database, place.use_case_name):
            out.print(line, markup=False)


@app.command()
def promote(
    tag: Annotated[str, typer.Argument(help="Tag of the Bento, e.g. doctor_visits:abc.", metavar="TAG")],
    use_case: UseCaseOption = "",
) -> None:
    """Put a Bento in Production."""
    place = Installation.find(read_settings(), use_case)
    place.promote(tag)
    out.print(f"{tag} is in Production. `rebento up` serves it from its next start.", markup=False)


@app.command()
def erase(
    entity: Annotated[str, typer.Option("--entity", help="The id whose rows go.", metavar="ID")],
    use_case: UseCaseOption = "",
) -> None:
    """Remove one person's predictions and feedback, and say what remains."""
    place = Installation.find(read_settings(), use_case)
    for sentence in place.erase(entity):
        out.print(sentence, markup=False)


@app.command()
def prune(use_case: UseCaseOption = "") -> None:
    """Remove predictions without feedback that are older than the policy's retention_days."""
    place = Installation.find(read_settings(), use_case)
    removed, days = place.prune()
    out.print(f"{removed:,} predictions without feedback, older than {days} days, were removed")


def _train(place: Installation, *, as_of: datetime | None, trigger: str, reason: str) -> None:
    from training.run import train as run

    with place.database() as database, bars() as progress:
        outcome = run(
            place.use_case(),
            home=place.settings.home,
            data=place.settings.data,
            database=database,
            as_of=None if as_of is None else as_of.date(),
            trigger=trigger,
            reason=reason,
            progress=progress,
        )
    out.print(outcome_table(outcome))
    out.print(outcome.verdict, markup=False)


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
