"""A past for an installation that has just trained its first model: what months of use would have stored.

Answers are the champion's own to real rows, truths are the source's. What came to be by hand here and not by
use (older versions, runs, decisions, reports) has the form that use would have given it.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, delete, insert, text, update

from benchmarks.past import link_files, run_facts, verdicts_of
from benchmarks.past_reports import add_reports
from loop.clock import now_ms
from loop.holdout import is_holdout
from loop.places import bento_code, model_folder
from runner.package import Package
from storage import schema
from storage.database import Database
from storage.decisions import record_decision
from storage.predictions import Prediction, insert_predictions
from storage.processes import beat
from storage.runs import fail_run, finish_run, request_run, start_run
from storage.verdicts import add_verdicts
from storage.versions import Version, add_version, champion, change_stage
from use_cases.derive import frame_rows
from use_cases.source import load_rows
from use_cases.use_case import UseCase

_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_CHUNK = 10_000
#: Versions whose files are still there; the rest were pruned, as `keep_bentos` does.
_WITH_FILES = 9


@dataclass(frozen=True)
class Amounts:
    """How much is stored."""

    predictions: int = 100_000
    feedbacks: int = 10_000
    runs: int = 50
    versions: int = 30
    decisions: int = 200
    reports: int = 100
    days: int = 60
    """Over so many days up to now."""


def fill(home: Path, database_url: str, use_case: UseCase, data: Path, amounts: Amounts) -> None:
    """Stores a past. The installation must have a champion and nothing else."""
    database = Database.open(database_url)
    try:
        database.migrate()
        with database.reading() as connection:
            standing = champion(connection, use_case.name)
        assert standing is not None, "train a first model before its past is made up"
        package = Package.open(model_folder(home, standing.model_tag))
        ends_ms = now_ms()
        with database.writing() as connection:
            _answers(connection, package, use_case, data, amounts, ends_ms)
        with database.writing() as connection:
            _versions_and_runs(connection, home, standing, amounts, ends_ms)
            _decisions(connection, use_case.name, amounts, ends_ms)
            for name in ("supervisor", "trainer", "reporter"):  # as if they had just said that they are there
                there = {"pid": 1, "host": "example", "started_at_ms": ends_ms}
                beat(connection, use_case.name, name, **there, at_ms=ends_ms + _DAY_MS)
            add_reports(connection, home, standing, package.contract, amounts.reports, amounts.days, ends_ms)
        with database.writing() as connection:
            connection.execute(text("ANALYZE"))
    finally:
        database.close()


def _answers(
    connection: Connection, package: Package, use_case: UseCase, data: Path, amounts: Amounts, ends_ms: int
) -> None:
    """Predictions evenly over the days, and truths for the share that has feedback, hours later."""
    contract, bento = package.contract, package.info.bento
    frame = load_rows(use_case, data)
    if use_case.id is not None:  # rows that no version learned from, as real ones are
        held = [is_holdout(str(one), use_case.holdout, use_case.name) for one in frame[use_case.id]]
        frame = frame[held].reset_index(drop=True)
    rows, truths = frame_rows(contract, frame), frame[use_case.target].tolist()
    texts = [json.dumps(row) for row in rows]
    checked = package.checker.check(rows)
    given = package.graph.answer(checked.numbers, checked.categories)
    shares = [
        {name: round(float(share), 6) for name, share in zip(contract.classes, one, strict=True)}
        for one in given.probabilities
    ]
    random = np.random.default_rng(0)
    places = random.integers(0, len(rows), amounts.predictions)
    starts_ms = ends_ms - amounts.days * _DAY_MS
    moments = np.linspace(starts_ms, ends_ms - 60_000, amounts.predictions).astype("int64")
    share = amounts.feedbacks / amounts.predictions
    delays = (random.exponential(20, amounts.predictions) * _HOUR_MS).astype("int64")
    feedback, labelled = [], []
    predictions = []
    for number, (place, at_ms) in enumerate(zip(places.tolist(), moments.tolist(), strict=True)):
        entity = None if use_case.id is None else str(rows[place].get(use_case.id))
        prediction_id = f"{number:012x}{random.integers(1 << 40):010x}"
        predictions.append(
            Prediction(
                *(prediction_id, use_case.name, bento, at_ms, texts[place], given.vectors[place].tobytes()),
                *(given.labels[place], json.dumps(shares[place]), max(shares[place].values()), entity, None),
                *("request", is_holdout(entity or prediction_id, use_case.holdout, use_case.name)),
            )
        )
        known_ms = at_ms + int(delays[number])
        is_told = int((number + 1) * share) > int(number * share)
        if is_told and known_ms < ends_ms:
            labelled.append({"of": prediction_id})
            feedback.append(
                {
                    "use_case": use_case.name,
                    "prediction_id": prediction_id,
                    "target": truths[place],
                    "source": "back office",
                    "received_at_ms": known_ms,
                    "known_at_ms": known_ms,
                    "state": "joined",
                }
            )
    waiting = iter(predictions)
    while chunk := list(islice(waiting, _CHUNK)):
        insert_predictions(connection, chunk)
    if not feedback:
        return
    connection.execute(insert(schema.feedback), sorted(feedback, key=lambda one: one["known_at_ms"]))
    connection.execute(text("UPDATE predictions SET is_labelled = true WHERE prediction_id = :of"), labelled)
    counted = {
        "use_case": use_case.name,
        "production_rows": len(feedback),
        "last_known_at_ms": max(one["known_at_ms"] for one in feedback),
    }
    connection.execute(delete(schema.counters).where(schema.counters.c.use_case == use_case.name))
    connection.execute(insert(schema.counters), counted)


def _versions_and_runs(
    connection: Connection, home: Path, standing: Version, amounts: Amounts, ends_ms: int
) -> None:
    """Older versions, each from a run, once in Production or set aside; and the champion before them all."""
    step_ms = amounts.days * _DAY_MS // (amounts.runs + 1)
    random = np.random.default_rng(1)
    before: str | None = None
    # The champion's past is told anew: it took over from one of those.
    connection.execute(delete(schema.stage_changes).where(schema.stage_changes.c.tag == standing.tag))
    connection.execute(
        update(schema.versions).where(schema.versions.c.tag == standing.tag).values(stage="None")
    )
    first_built = amounts.runs - (amounts.versions - 1)
    for number in range(amounts.runs):
        at_ms = ends_ms - amounts.days * _DAY_MS + (number + 1) * step_ms
        trigger = ("feedback", "feedback", "schedule", "person", "drift")[number % 5]
        reason = {
            "feedback": f"{(number + 1) * 200} labelled production rows, a multiple of 100",
            "schedule": "24 hours since the last run",
            "person": "train now, on the pages",
            "drift": "drift_share=0.45 >= 0.30",
        }[trigger]
        run = request_run(connection, standing.use_case, trigger=trigger, reason=reason, at_ms=at_ms)
        start_run(connection, run.run_id, at_ms + 2_000, claimed_by="trainer@example:1:1")
        if number < first_built:
            fail_run(
                connection, run.run_id, at_ms + 9_000, "the source has no rows of one class", seconds=7.0
            )
            continue
        tag = f"{standing.use_case}:{run.run_id}"
        shift = 0.03 * math.sin(number / 3) - 0.02
        has_files = amounts.runs - number <= _WITH_FILES
        if has_files:
            link_files(bento_code(home, standing.tag).parent, bento_code(home, tag).parent)
            link_files(model_folder(home, standing.model_tag), model_folder(home, tag))
        older = replace(
            standing,
            tag=tag,
            model_tag=tag,
            stage="None",
            created_at_ms=at_ms + 60_000,
            run_id=run.run_id,
            parent=before,
            scores_json=_shifted(standing.scores_json, shift),
            files_removed_at_ms=None if has_files else ends_ms - _DAY_MS,
        )
        add_version(connection, older)
        found = verdicts_of(run.run_id, standing, tag, before, shift, at_ms + 55_000, random)
        add_verdicts(connection, found)
        promoted = before is None or found[0].decision == "promote"
        finish_run(
            connection, run.run_id, at_ms + 60_000, bento=tag, **run_facts(standing, tag, found[0], promoted)
        )
        if promoted:
            _promote(connection, standing.use_case, tag, before, found[0].reason, at_ms + 61_000)
        else:
            said = found[0].reason
            change_stage(connection, tag, "Archived", actor="trainer", reason=said, at_ms=at_ms + 61_000)
        before = tag if promoted else before
    why = "proven better: roc_auc +0.031 (0.008 to 0.054) on 1,000 recent held-out rows"
    of_champion = schema.versions.c.tag == standing.tag
    connection.execute(update(schema.versions).where(of_champion).values(parent=before))
    _promote(connection, standing.use_case, standing.tag, before, why, ends_ms)


def _promote(
    connection: Connection, use_case: str, tag: str, previous: str | None, reason: str, at_ms: int
) -> None:
    """A swap that was carried out, as the supervisor leaves it."""
    change_stage(connection, tag, "Production", actor="trainer", reason=reason, at_ms=at_ms)
    swap = {"use_case": use_case, "tag": tag, "previous": previous, "kind": "promotion", "state": "done"}
    said = {"actor": "trainer", "reason": reason}
    moments = dict.fromkeys(("requested_at_ms", "started_at_ms", "accepted_at_ms"), at_ms)
    connection.execute(
        insert(schema.promotions), {**swap, **said, **moments, "finished_at_ms": at_ms + 60_000}
    )


def _shifted(scores_json: str, shift: float) -> str:
    scores = json.loads(scores_json)
    for one in scores.values():
        if isinstance(one, dict) and one.get("value") is not None:
            one |= {name: min(max(one[name] + shift, 0.0), 1.0) for name in ("value", "low", "high")}
    return json.dumps(scores)


def _decisions(connection: Connection, use_case: str, amounts: Amounts, ends_ms: int) -> None:
    step_ms = amounts.days * _DAY_MS // (amounts.decisions + 1)
    for number in range(amounts.decisions):
        at_ms = ends_ms - (amounts.decisions - number) * step_ms
        if number % 2:
            said = "NO_ACTION roc_auc 0.719 (0.683 to 0.755) on 1,000 labelled rows holds its reference 0.727"
            record_decision(
                connection, use_case, kind="quality", decision="NO_ACTION", sentence=said, at_ms=at_ms
            )
        else:
            said = "NO_ACTION drift_share=0.06 < 0.30 (target_drift=0.0)"
            record_decision(
                connection, use_case, kind="drift", decision="NO_ACTION", sentence=said, at_ms=at_ms
            )
