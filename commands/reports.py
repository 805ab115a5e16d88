"""Reports on the model's health, and the process that makes them."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Annotated, Any

import typer

from commands.options import UseCaseOption, reachable
from commands.speech import speak_as
from installation import Installation
from loop.clock import now_ms
from loop.quality_words import quality_line
from loop.refusals import Refusal
from settings import Settings, read_settings
from terminal import bars, out

_DAY = ["%Y-%m-%d"]
_LOOK_SECONDS = 0.5
_LEAVE_SECONDS = 10.0


def report(
    last_rows: Annotated[
        int | None, typer.Option(help="Look at the newest so many production rows.", metavar="N")
    ] = None,
    last_days: Annotated[
        float | None, typer.Option(help="Look at the production rows of so many days.", metavar="D")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=_DAY, help="Look at production rows from this day on (UTC)."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", formats=_DAY, help="The last day of those, with it.")
    ] = None,
    reference: Annotated[
        datetime | None,
        typer.Option(formats=_DAY, help="Compare with the source's rows of this date, not the champion's."),
    ] = None,
    current: Annotated[
        datetime | None, typer.Option(formats=_DAY, help="Look at the source's rows of this date.")
    ] = None,
    use_case: UseCaseOption = "",
) -> None:
    """Compare what was asked and answered with the reference; print the decision, keep the report.

    Without a window it looks at the newest production rows, as many as the policy says (report_rows).
    """
    given = {
        "last_rows": last_rows,
        "last_days": last_days,
        "from": _day(since),
        "to": _day(until),
        "reference": _day(reference),
        "current": _day(current),
    }
    place = Installation.find(read_settings(), use_case)
    report_now(place, {key: value for key, value in given.items() if value is not None})


def reporter(
    use_case: UseCaseOption = "",
    pages: Annotated[bool, typer.Option("--pages", help="Show Evidently's pages as well.")] = False,
    host: Annotated[
        str,
        typer.Option(
            help="The address of those pages; without it this machine's alone. They ask for no sign-in: "
            "whoever reaches the address sees every report.",
            metavar="ADDRESS",
        ),
    ] = "",
) -> None:
    """Make reports as they are asked for or due. `rebento up` starts this; a container's has --pages."""
    speak_as("reporter")
    if host and not pages:
        raise Refusal("--host says where Evidently's pages are bound: write --pages as well")
    refuse_without_evidently()
    from loop.stopping import until_told_to_stop
    from reporting.reporter import Reporter

    place = Installation.find(read_settings(), use_case)
    with (
        place.database() as database,
        until_told_to_stop("reporter") as stopping,
        _shown(place.settings, host or ui_host(place.settings), stopping) if pages else nullcontext(),
    ):
        Reporter(
            _task(place),
            lambda: place.use_case().policy,
            database=database,
            stopping=stopping,
        ).work()


def report_now(place: Installation, asked: dict[str, Any]) -> None:
    """Makes a report in the foreground, and prints what came of it. Raises Refusal where it failed."""
    refuse_without_evidently()
    from dataclasses import replace

    from loop.claims import Claim
    from reporting.asked import Asked
    from reporting.reporter import see_through
    from storage.reports import claim_report, fail_report, request_report

    asked_json = json.dumps(asked)
    Asked.parse(asked_json, place.use_case().policy.report_rows)
    claimed_by = str(Claim.of_this_process("command", now_ms()))
    with place.database() as database:
        with database.writing() as connection:  # in one transaction: the reporter would take it up
            waiting = request_report(
                connection,
                place.use_case_name,
                trigger="person",
                reason="rebento report",
                asked_json=asked_json,
                at_ms=now_ms(),
            )
            claimed = claim_report(
                connection, place.use_case_name, now_ms(), claimed_by, report_id=waiting.report_id
            )
        assert claimed is not None  # nobody else can have taken it
        task = replace(_task(place), report_id=claimed.report_id, claimed_by=claimed_by)
        try:
            with bars() as progress:
                ended = see_through(claimed, task, database, progress=progress)
        except BaseException:
            with database.writing() as connection:
                fail_report(connection, claimed.report_id, now_ms(), "it was interrupted")
            raise
    if ended.sentence is not None:
        out.print(ended.sentence, markup=False)
    numbers = json.loads(ended.numbers_json)
    if numbers.get("quality"):
        out.print(quality_line(numbers["quality"]), markup=False)
    if ended.state != "done":
        raise Refusal(f"no report was made: {ended.error}")
    home = place.settings.home
    for file in (ended.html, ended.json):
        if file is not None:
            out.print(f"  {home / file}", markup=False)
    while_up = "" if place.settings.reporting_url else " while `rebento up` runs"
    out.print(f"  {ui_address(place.settings)} shows it{while_up}", markup=False)
    for note in numbers.get("notes", []):
        out.print(f"- {note}", markup=False)


def ui_host(settings: Settings) -> str:
    """Where Evidently's pages are bound: they ask nobody for a token, so never beyond this machine."""
    return settings.host if settings.is_loopback else "127.0.0.1"


def ui_address(settings: Settings) -> str:
    """Where a person's browser finds Evidently's pages."""
    return settings.reporting_url or f"http://{reachable(ui_host(settings))}:{settings.reporting_port}"


def ui_command(settings: Settings, host: str) -> list[str]:
    """What starts Evidently's pages, bound at `host`."""
    return [
        *(sys.executable, "-m", "reporting.ui", "--workspace", str(settings.home / "evidently")),
        *("--host", host, "--port", str(settings.reporting_port)),
        *("--allowed-hosts", settings.allowed_hosts, "--log-format", settings.log_format),
    ]


@contextmanager
def _shown(settings: Settings, host: str, stopping: threading.Event) -> Iterator[None]:
    """Evidently's pages as a process beside this one, started again where it ends, for as long as the block
    lasts."""
    from supervisor.children import Child

    pages = Child("reporting pages", ui_command(settings, host), settings.environment())
    left = threading.Event()

    def keep() -> None:
        while not stopping.is_set() and not left.is_set():
            pages.look(time.monotonic())
            left.wait(_LOOK_SECONDS)

    keeper = threading.Thread(target=keep, name="pages", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        left.set()
        keeper.join()
        pages.leave()
        pages.end(_LEAVE_SECONDS)


def has_evidently() -> bool:
    """Whether the reporting extra is installed; looking costs nothing, importing it takes seconds."""
    return importlib.util.find_spec("evidently") is not None


def refuse_without_evidently() -> None:
    if not has_evidently():
        raise Refusal(
            "reports need Evidently, which is not installed here: pip install 'rebento[reporting]' brings it"
        )


def _task(place: Installation) -> Any:
    from reporting.child import Task

    settings = place.settings
    return Task(
        report_id="",
        use_case=place.use_case_name,
        use_case_folders=tuple(map(str, place.use_case_folders)),
        home=str(settings.home),
        data=str(settings.data),
        database_url=settings.database,
        claimed_by="",
    )


def _day(moment: datetime | None) -> str | None:
    return None if moment is None else moment.date().isoformat()
