"""From rows to a Bento, and whether it can be made again."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated

import typer

from commands.options import InputFile, Tag, UseCaseOption
from commands.speech import say
from installation import Installation, make_current
from monitoring.logs import logs_are_json
from settings import read_settings
from storage.run_facts import Mode, mode_of
from terminal import bars, out, outcome_table


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


def train(
    use_case: UseCaseOption = "",
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="Learn only from what was known on this day."),
    ] = None,
    mode: Annotated[
        str,
        typer.Option(
            help="Make one challenger alone: fresh (learns from all rows), recent (from the newest), "
            "weighted (from all, the newer the heavier) or fine_tuned (the champion, taught the rows it has "
            "not seen). All but fresh need a champion.",
            metavar="KIND",
            show_default="all that the rows allow",
        ),
    ] = "all",
) -> None:
    """Train, compare the candidates, build a Bento, print the verdict."""
    only = mode_of(mode)
    place = Installation.find(read_settings(), use_case)
    train_now(place, as_of=as_of, only=only, trigger="person", reason="rebento train")


def verify(
    tag: Tag,
    use_case: UseCaseOption = "",
) -> None:
    """Train TAG again from its recorded rows, seed and settings, and say whether the same model comes out."""
    from training.verification import verify as again

    place = Installation.find(read_settings(), use_case or tag.partition(":")[0])
    with place.database() as database, bars() as progress:
        verification = again(place.tag(tag), home=place.settings.home, database=database, progress=progress)
    out.print(verification.sentence, markup=False)
    if not verification.is_equal:
        sys.exit(1)


def train_now(
    place: Installation, *, as_of: datetime | None, only: Mode | None = None, trigger: str, reason: str
) -> None:
    """Trains in the foreground, and prints all that came of it. `only`: the one challenger to make."""
    from training.run import train as run

    with place.database() as database, bars(quiet=logs_are_json()) as progress:
        outcome = run(
            place.use_case(),
            home=place.settings.home,
            data=place.settings.data,
            database=database,
            as_of=None if as_of is None else as_of.date(),
            mode=only,
            trigger=trigger,
            reason=reason,
            progress=progress,
        )
    if not logs_are_json():
        out.print(outcome_table(outcome))
    for line in outcome.lines():
        say(line)
