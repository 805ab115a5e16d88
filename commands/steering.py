"""What is in Production, and what Rebento may do by itself."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.decisions import (
    discard_source,
    go_back,
    let_automation_go_on,
    put_in_place,
    release_source,
    stop_automation,
)
from commands.options import Tag, UseCaseOption
from installation import Installation
from loop.clock import now_ms
from loop.refusals import Refusal
from settings import read_settings
from storage.promotions import Promotion
from terminal import err, out, quarantine_lines, version_lines


def versions(use_case: UseCaseOption = "") -> None:
    """List every Bento: stage, scores, since when and why."""
    place = Installation.find(read_settings(), use_case)
    with place.database() as database:
        for line in version_lines(database, place.use_case_name):
            out.print(line, markup=False)


def promote(
    tag: Tag,
    use_case: UseCaseOption = "",
) -> None:
    """Put a Bento in Production; where `rebento up` runs, it answers within seconds."""
    place = Installation.find(read_settings(), use_case or tag.rpartition(":")[0])
    _see_through(place, put_in_place(place, tag))


def rollback(use_case: UseCaseOption = "") -> None:
    """Put the version before back in Production, and promote nothing by itself until `rebento resume`."""
    place = Installation.find(read_settings(), use_case)
    promotion = go_back(place)
    out.print("Nothing is promoted by itself until `rebento resume`.")
    _see_through(place, promotion)


def pause(
    reason: Annotated[str, typer.Option(help="Why, for those who look later.", metavar="TEXT")] = "",
    use_case: UseCaseOption = "",
) -> None:
    """Stop retraining and promoting by themselves; a person's own requests are still done."""
    place = Installation.find(read_settings(), use_case)
    stop_automation(place, reason or "rebento pause")
    out.print(f"Automation of {place.use_case_name} is paused until `rebento resume`.", markup=False)


def resume(use_case: UseCaseOption = "") -> None:
    """Let retraining and promotion go on by themselves again, also after a rollback."""
    place = Installation.find(read_settings(), use_case)
    let_automation_go_on(place, "rebento resume")
    out.print(f"Automation of {place.use_case_name} goes on by itself.", markup=False)


def quarantine(
    release: Annotated[
        str, typer.Option(help="Take this source's answers after all, and let them count.", metavar="SOURCE")
    ] = "",
    discard: Annotated[
        str, typer.Option(help="Leave this source's answers out for good.", metavar="SOURCE")
    ] = "",
    use_case: UseCaseOption = "",
) -> None:
    """List the feedback that is held back as suspicious; release or discard a source's."""
    place = Installation.find(read_settings(), use_case)
    if release and discard:
        raise Refusal("give --release or --discard, not both")
    if release:
        out.print(release_source(place, release), markup=False)
    elif discard:
        out.print(discard_source(place, discard), markup=False)
    else:
        with place.database() as database:
            for line in quarantine_lines(database, place.use_case_name):
                out.print(line, markup=False)


def _see_through(place: Installation, promotion: Promotion) -> None:
    from supervisor.outcome import outcome

    if promotion.state == "done":
        out.print(
            f"{promotion.tag} is in Production. `rebento up` serves it from its next start.", markup=False
        )
        return
    with place.database() as database, err.status(f"waiting until {promotion.tag} answers"):
        ended = outcome(database, promotion, now_ms)
    warm = f"; {ended.previous} stays warm until the probation ends" if ended.state == "probation" else ""
    out.print(f"{ended.tag} is in Production and answers{warm}.", markup=False)
