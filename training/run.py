"""One training run from request to verdict: rows in, Bento out, everything about it recorded."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable
from pathlib import Path

from loop.refusals import NotTrainable, StorageUnavailable
from storage.database import Database
from storage.runs import Run, fail_run, finish_run, request_run, start_run
from storage.versions import Version, add_version, champion, change_stage
from training.build import ROOT
from training.making import Made, make
from training.outcome import Outcome, verdict
from training.progress import Progress, Silence
from training.record import code_revision, library_versions, peak_memory_bytes
from training.scores import scores_json
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
    trigger: str = "person",
    reason: str = "asked for",
    progress: Progress | None = None,
    actor: str = "rebento train",
    clock: Callable[[], datetime.datetime] = now,
    requested: Run | None = None,
) -> Outcome:
    """What became of the run: a Bento built from the use case's rows, kept or promoted.

    Does the `requested` run, or a new one. Promotes only where nothing is in Production yet. Refusals
    (NotTrainable, UseCaseMistake, DataNotFound, BrokenPackage and so on) pass through after the run is marked
    failed with their text; so does anything else that ends it.
    """
    began = time.perf_counter()
    run = _started(use_case, database, requested, trigger, reason, as_of, clock)
    try:
        made = make(
            use_case,
            home=home,
            data=data,
            as_of=as_of,
            run_id=run.run_id,
            parent=_champion_tag(database, use_case.name),
            created=clock(),
            progress=progress or Silence(),
        )
        return _concluded(use_case, database, run, made, time.perf_counter() - began, actor, clock)
    except BaseException as error:
        said = str(error) or type(error).__name__
        try:
            with database.writing() as connection:
                fail_run(
                    connection,
                    run.run_id,
                    _ms(clock()),
                    said if isinstance(error, Exception) else f"it was stopped ({type(error).__name__})",
                    seconds=time.perf_counter() - began,
                    peak_memory_bytes=peak_memory_bytes(),
                )
        except StorageUnavailable as unavailable:
            error.add_note(f"and the run {run.run_id} could not be marked failed: {unavailable}")
        raise


def _started(
    use_case: UseCase,
    database: Database,
    requested: Run | None,
    trigger: str,
    reason: str,
    as_of: datetime.date | None,
    clock: Callable[[], datetime.datetime],
) -> Run:
    at_ms = _ms(clock())
    with database.writing() as connection:
        run = requested or request_run(
            connection,
            use_case.name,
            trigger=trigger,
            reason=reason,
            at_ms=at_ms,
            as_of=None if as_of is None else as_of.isoformat(),
        )
        claimed = start_run(
            connection,
            run.run_id,
            at_ms,
            parameters_json=use_case.model_dump_json(),
            code_revision=code_revision(ROOT),
            libraries_json=json.dumps(library_versions()),
        )
    if not claimed:
        raise NotTrainable(
            f"The training run {run.run_id} does not wait any more: another trainer has it, or it has ended."
        )
    return run


def _concluded(
    use_case: UseCase,
    database: Database,
    run: Run,
    made: Made,
    seconds: float,
    actor: str,
    clock: Callable[[], datetime.datetime],
) -> Outcome:
    """Version, stage and the run's end, in one transaction: no Bento is in Production without its run."""
    at_ms = _ms(clock())
    scores = scores_json(made.evaluation)
    with database.writing() as connection:
        add_version(
            connection,
            Version(
                tag=made.bento,
                use_case=use_case.name,
                model_tag=made.info.model,
                stage="None",
                created_at_ms=at_ms,
                run_id=run.run_id,
                parent=made.info.parent,
                data_digest=made.info.data_digest,
                candidate=made.info.candidate,
                scores_json=scores,
                as_of=made.as_of,
            ),
        )
        holder = champion(connection, use_case.name)
        decided = verdict(use_case, made, None if holder is None else holder.tag)
        if decided.promotes:
            change_stage(
                connection, made.bento, "Production", actor=actor, reason=decided.reason, at_ms=at_ms
            )
        finish_run(
            connection,
            run.run_id,
            at_ms,
            scores_json=scores,
            rows_json=json.dumps(made.rows),
            data_digest=made.info.data_digest,
            seconds=seconds,
            peak_memory_bytes=peak_memory_bytes(),
            verdict_json=decided.as_json(),
            bento=made.bento,
        )
    return Outcome(
        run_id=run.run_id,
        bento=made.bento,
        metric=use_case.metric,
        scores=made.evaluation.scores,
        candidates=made.comparison.results,
        without_pca=made.without_pca,
        rows=made.rows,
        seconds=seconds,
        verdict=decided.sentence,
        promoted=decided.promotes,
    )


def _champion_tag(database: Database, use_case: str) -> str | None:
    with database.reading() as connection:
        found = champion(connection, use_case)
    return None if found is None else found.tag


def _ms(moment: datetime.datetime) -> int:
    return int(moment.timestamp() * 1000)
