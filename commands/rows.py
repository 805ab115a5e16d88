"""Rows in and out of an installation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.options import InputFile, UseCaseOption
from commands.removal import remove_old, remove_person
from installation import Installation
from settings import read_settings
from terminal import counting, out


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


def erase(
    entity: Annotated[str, typer.Option("--entity", help="The id whose rows go.", metavar="ID")],
    use_case: UseCaseOption = "",
) -> None:
    """Remove one person's predictions and feedback, and say what remains."""
    place = Installation.find(read_settings(), use_case)
    for sentence in remove_person(place, entity):
        out.print(sentence, markup=False)


def prune(use_case: UseCaseOption = "") -> None:
    """Remove what the policy keeps no longer: old predictions without feedback, old Bentos' files."""
    place = Installation.find(read_settings(), use_case)
    for sentence in remove_old(place):
        out.print(sentence, markup=False)
