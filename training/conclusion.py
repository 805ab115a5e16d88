"""The end of a training run: version, verdicts, what follows from them, the run itself."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from loop.refusals import StorageUnavailable
from storage.database import Database
from storage.runs import Run, RunNotOpen, fail_run, finish_run, requeue_run, running_run
from storage.runs import run as find_run
from storage.turns import take_turn
from storage.verdicts import add_verdicts
from storage.versions import Version, add_version, champion, change_stage
from training.making import Against, Made
from training.outcome import Outcome, decide, stored_verdicts, waiting
from training.record import peak_memory_bytes
from training.scores import scores_json
from use_cases.use_case import UseCase

OnProven = Callable[[Connection, str, str], str]
"""Told of a proven challenger's tag and why, in the transaction that ends the run; says what follows."""

BY_A_PERSON = ("person", "first")
"""Triggers of runs that somebody waits for: they compare all candidates."""


@dataclass(frozen=True, slots=True)
class Started:
    """A run that is this process's to do."""

    run: Run
    instant_ms: int
    as_of: datetime.date | None
    """Of the reference rows."""
    against: Against

    @property
    def is_thorough(self) -> bool:
        return self.against.champion is None or self.run.trigger in BY_A_PERSON


def conclude(
    use_case: UseCase,
    database: Database,
    started: Started,
    made: Made,
    steps: dict[str, float],
    began: float,
    actor: str,
    clock: Callable[[], datetime.datetime],
    on_proven: OnProven | None,
    claimed_by: str | None,
) -> Outcome:
    """Enters all that a run came to in one transaction: none of it is there without the rest.

    `steps` are seconds by step; `began` is the `time.perf_counter` of the run's begin. Raises RunNotOpen
    where another process has the run by now.
    """
    at_ms, run = ms(clock()), started.run
    judged_against = started.against.champion
    scores, seconds = scores_json(made.evaluation), time.perf_counter() - began
    with database.writing() as connection:
        add_version(connection, _version(use_case, started, made, scores, at_ms))
        holder = champion(connection, use_case.name)
        decided = decide(use_case, made, None if holder is None else holder.tag)
        sentence = decided.sentence
        if judged_against is not None:
            add_verdicts(connection, stored_verdicts(use_case, made, run.run_id, judged_against.tag, at_ms))
        if decided.promotes:
            change_stage(
                connection, made.bento, "Production", actor=actor, reason=decided.reason, at_ms=at_ms
            )
        elif decided.proven is not None and on_proven is not None:
            sentence += f" {on_proven(connection, decided.proven, decided.reason)}"
        elif decided.proven is not None:
            sentence = waiting(decided, None if holder is None else holder.tag)
        finish_run(
            connection,
            run.run_id,
            at_ms,
            claimed_by=claimed_by,
            scores_json=scores,
            rows_json=json.dumps(made.rows),
            data_digest=made.info.data_digest,
            seconds=seconds,
            peak_memory_bytes=peak_memory_bytes(),
            verdict_json=decided.as_json(sentence, steps),
            bento=made.bento,
        )
    return Outcome(
        run_id=run.run_id,
        bento=made.bento,
        challenger=made.recipe.kind,
        metric=use_case.metric,
        scores=made.evaluation.scores,
        candidates=made.comparison.results,
        without_pca=made.without_pca,
        rows=made.rows,
        seconds=seconds,
        verdict=sentence,
        promoted=decided.promotes,
        verdicts=made.verdicts,
        notes=made.notes,
    )


def _version(use_case: UseCase, started: Started, made: Made, scores: str, at_ms: int) -> Version:
    return Version(
        tag=made.bento,
        use_case=use_case.name,
        model_tag=made.info.model,
        stage="None",
        created_at_ms=at_ms,
        run_id=started.run.run_id,
        parent=made.info.parent,
        data_digest=made.info.data_digest,
        candidate=made.info.candidate,
        scores_json=scores,
        as_of=made.as_of,
        recipe_json=made.recipe.model_dump_json(),
    )


def end_early(
    database: Database,
    run: Run,
    error: BaseException,
    seconds: float,
    clock: Callable[[], datetime.datetime],
    claimed_by: str | None,
    *,
    is_stopped: bool,
) -> None:
    """Marks a run failed with its reason, or lets it wait again where its trainer was told to stop.

    A run that another process has by now is left to it. Where even that cannot be written, the error says so.
    """
    try:
        with database.writing() as connection:
            if is_stopped:
                held = find_run(connection, run.run_id)
                if held is None or held.claimed_by != claimed_by:
                    raise RunNotOpen("another process has it")
                requeue_run(connection, run.run_id, ms(clock()), "its trainer was stopped", counts=False)
                return
            said = str(error) or type(error).__name__
            fail_run(
                connection,
                run.run_id,
                ms(clock()),
                said if isinstance(error, Exception) else f"it was stopped ({type(error).__name__})",
                claimed_by=claimed_by,
                seconds=seconds,
                peak_memory_bytes=peak_memory_bytes(),
            )
    except (StorageUnavailable, RunNotOpen) as refusal:
        error.add_note(f"and the run {run.run_id} could not be marked so: {refusal}")


def end_unheard(
    database: Database,
    use_case: str,
    error: BaseException,
    clock: Callable[[], datetime.datetime],
    claimed_by: str,
    *,
    is_stopped: bool,
) -> None:
    """As `end_early`, for a run that had just begun when a signal came, before anybody was told of it."""
    try:
        with database.writing() as connection:
            # The turn of `start_run`: a commit that the signal broke into has come to its end.
            take_turn(connection, f"training runs of {use_case}", alone=True)
            begun = running_run(connection, use_case)
    except StorageUnavailable as refusal:
        error.add_note(f"and whether a run had begun could not be seen: {refusal}")
        return
    if begun is not None and begun.claimed_by == claimed_by:
        end_early(database, begun, error, 0.0, clock, claimed_by, is_stopped=is_stopped)


def ms(moment: datetime.datetime) -> int:
    """Milliseconds since 1970, UTC."""
    return int(moment.timestamp() * 1000)
