"""One training run from request to verdict: rows in, Bento out, everything about it recorded."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable
from pathlib import Path

from loop.claims import Claim
from loop.progress import Progress, Silence
from loop.stopping import Stopped
from storage.database import Database
from storage.labelled import settled_instant
from storage.run_facts import Mode
from storage.runs import Run, request_run, start_run
from training.abandoned import RunTaken, settle_abandoned
from training.build import ROOT
from training.conclusion import BY_A_PERSON, OnProven, Started, conclude, end_early, end_unheard, ms
from training.gathering import end_of_day_ms, gather
from training.heartbeat import Heartbeat
from training.making import Made, make
from training.outcome import Outcome
from training.record import code_revision, library_versions
from training.standing import against_now
from use_cases.use_case import UseCase


def now() -> datetime.datetime:
    """The present moment, UTC."""
    return datetime.datetime.now(datetime.UTC)


def train(
    use_case: UseCase,
    *,
    home: Path,
    data: Path,
    database: Database,
    as_of: datetime.date | None = None,
    mode: Mode | None = None,
    trigger: str = "person",
    reason: str = "asked for",
    progress: Progress | None = None,
    actor: str = "rebento train",
    clock: Callable[[], datetime.datetime] = now,
    requested: Run | None = None,
    claimed_by: str | None = None,
    on_proven: OnProven | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Outcome:
    """What became of the run: challengers judged against the champion, the best of them built as a Bento.

    Does the `requested` run, or a new one, in the name of `claimed_by` (None: a command's). Promotes by
    itself only where nothing is in Production yet; a proven challenger is left to `on_proven`, and stays
    as it is without.

    `as_of`: only what was known at the end of that day. A run that no person asked for keeps to the
    reference rows of the champion, with all production rows known by now. `mode`: of a new run, the only
    challenger that is wanted; None: all that the rows allow. Refusals (NotTrainable,
    UseCaseMistake, DataNotFound, BrokenPackage and so on) pass through after the run is marked failed with
    their text; so does anything else that ends it. After `loop.stopping.Stopped`, and after any error
    once `is_stopping` says so, the run waits again. Raises RunTaken where it is not this process's to do.
    """
    claimed_by = claimed_by or str(Claim.of_this_process("command", ms(clock())))
    began = time.perf_counter()
    shown = progress or Silence()
    try:
        started = _started(use_case, database, requested, trigger, reason, as_of, mode, clock, claimed_by)
    except BaseException as error:
        is_stopped = isinstance(error, Stopped) or is_stopping()
        if is_stopped or not isinstance(error, Exception):
            end_unheard(database, use_case.name, error, clock, claimed_by, is_stopped=is_stopped)
        raise
    run = started.run
    try:
        with Heartbeat(database, run, claimed_by, shown) as told:
            made, seconds = _made(use_case, started, home, data, database, clock, told)
        return conclude(
            use_case, database, started, made, seconds, began, actor, clock, on_proven, claimed_by
        )
    except BaseException as error:
        # Libraries may make an error of their own of what the signal raised within them.
        is_stopped = isinstance(error, Stopped) or is_stopping()
        seconds_so_far = time.perf_counter() - began
        end_early(database, run, error, seconds_so_far, clock, claimed_by, is_stopped=is_stopped)
        raise


def _started(
    use_case: UseCase,
    database: Database,
    requested: Run | None,
    trigger: str,
    reason: str,
    as_of: datetime.date | None,
    mode: Mode | None,
    clock: Callable[[], datetime.datetime],
    claimed_by: str,
) -> Started:
    at_ms = ms(clock())
    # Not within the transaction: git reads every file, and whoever writes answers would wait for it.
    revision, libraries = code_revision(ROOT), json.dumps(library_versions())
    with database.writing() as connection:
        settle_abandoned(connection, use_case.name, claimed_by, at_ms)
        run = requested or request_run(
            connection,
            use_case.name,
            trigger=trigger,
            reason=reason,
            at_ms=at_ms,
            as_of=None if as_of is None else as_of.isoformat(),
            mode=mode,
        )
        instant_ms = settled_instant(connection, use_case.name)
        if as_of is not None:
            instant_ms = min(instant_ms, end_of_day_ms(as_of))
        against = against_now(connection, use_case.name)
        holder = against.champion
        if as_of is None and holder is not None and holder.as_of and run.trigger not in BY_A_PERSON:
            as_of = datetime.date.fromisoformat(holder.as_of)
        claimed = start_run(
            connection,
            run.run_id,
            at_ms,
            claimed_by=claimed_by,
            instant_ms=instant_ms,
            parameters_json=use_case.model_dump_json(),
            code_revision=revision,
            libraries_json=libraries,
        )
        if not claimed:
            raise RunTaken(
                f"The training run {run.run_id} does not wait any more, or another of {use_case.name} is "
                "going on: wait for its end, `rebento versions` shows what came of it."
                if requested
                else f"Another training run of {use_case.name} is going on: wait for its end, then ask again."
            )
    return Started(run, instant_ms, as_of, against)


def _made(
    use_case: UseCase,
    started: Started,
    home: Path,
    data: Path,
    database: Database,
    clock: Callable[[], datetime.datetime],
    progress: Progress,
) -> tuple[Made, dict[str, float]]:
    began = time.perf_counter()
    progress.stage("reading rows")
    gathered = gather(
        use_case,
        data=data,
        home=home,
        database=database,
        as_of=started.as_of,
        instant_ms=started.instant_ms,
    )
    gathering = round(time.perf_counter() - began, 3)
    made = make(
        use_case,
        gathered,
        started.against,
        home=home,
        as_of=started.as_of,
        run_id=started.run.run_id,
        created=clock(),
        is_thorough=started.is_thorough,
        progress=progress,
        only=started.run.mode,
    )
    return made, {"gathering": gathering, **made.seconds}
