"""One report, from what was asked to its decision, its files, and its run in the Evidently workspace."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loop.drift import DriftNumbers
from loop.places import model_folder
from loop.progress import Progress
from loop.refusals import NothingInProduction, Refusal
from loop.report_decision import report_decision
from reporting.asked import Asked
from reporting.compared import Compared, compared
from reporting.files import report_files, retire_files
from reporting.numbers import report_numbers, strict
from reporting.profiles import drift_numbers
from reporting.quality import QualityNumbers, quality_of, stored_score
from reporting.whole import write_together
from runner.package import Package
from storage.counters import production_rows
from storage.database import Database
from storage.decisions import record_decision
from storage.label_delays import LabelDelays, label_delays
from storage.reports import Report, fail_report, finish_report, tell_report
from storage.versions import Version, champion
from use_cases.use_case import UseCase

if TYPE_CHECKING:
    from evidently.core.report import Snapshot

WORKSPACE = "evidently"
"""Evidently's workspace, a folder in REBENTO_HOME."""


class ReportTaken(Refusal):
    """A report that another process has by now."""


@dataclass(frozen=True)
class Reporting:
    """What one report is made with."""

    use_case: UseCase
    home: Path
    data: Path
    database: Database
    claimed_by: str
    progress: Progress
    now_ms: Callable[[], int]


@dataclass(frozen=True)
class _Measured:
    """What a report found before anything is drawn."""

    name: str
    package: Package
    sides: Compared
    drift: DriftNumbers
    quality: QualityNumbers
    sentence: str
    numbers: dict[str, Any]
    at_ms: int


def make_report(report: Report, reporting: Reporting) -> str:
    """The decision's line of a report that runs in the hands of `reporting.claimed_by`.

    Decision and numbers are stored before anything is drawn: the loop acts on them, not on a picture. A
    report whose drawing fails is failed and keeps them. Raises whatever made it fail, after it is marked so;
    files of earlier reports stay as they are. ReportTaken: another process has it by now.
    """
    try:
        measured = _measured(report, reporting)
        _draw(report, measured, reporting)
    except ReportTaken:
        raise
    except Exception as error:
        words = str(error) if isinstance(error, Refusal) else f"{type(error).__name__}: {error}"
        with reporting.database.writing() as connection:
            fail_report(
                connection,
                report.report_id,
                reporting.now_ms(),
                words,
                claimed_by=reporting.claimed_by,
            )
        raise
    return measured.sentence


def _measured(report: Report, reporting: Reporting) -> _Measured:
    use_case, database = reporting.use_case, reporting.database
    policy = use_case.policy
    with database.reading() as connection:
        holder = champion(connection, use_case.name)
    if holder is None:
        raise NothingInProduction(
            f"nothing of {use_case.name} is in Production, so there is nothing to report on; `rebento train` "
            "makes a first version"
        )
    asked = Asked.parse(report.asked_json, policy.report_rows)
    package = Package.open(model_folder(reporting.home, holder.model_tag))
    at_ms = reporting.now_ms()
    sides = compared(
        asked,
        package,
        use_case,
        data=reporting.data,
        database=database,
        at_ms=at_ms,
        progress=reporting.progress,
    )
    reporting.progress.stage("measuring drift and quality")
    drift = drift_numbers(sides.reference.profile, sides.current.profile, policy, seed=use_case.seed)
    quality = _quality(package, holder, sides, reporting, at_ms)
    decision = report_decision(
        drift,
        quality.decision,
        drift_share=policy.drift_share,
        target_drift=policy.target_drift,
        rows=sides.current.total_rows,
        least_rows=policy.least_report_rows,
    )
    sentence = f"{decision.decision} {decision.reason}"
    numbers = report_numbers(
        sides,
        drift,
        quality.to_json(),
        drift_threshold=policy.drift_share,
        notes=[*sides.notes, *quality.notes],
    )
    name = asked.name(at_ms)
    with database.writing() as connection:
        # By champion and rows the loop tells a change that it has acted on from a new one.
        known = {"champion": holder.tag, "production_rows": production_rows(connection, use_case.name)}
        is_ours = tell_report(
            connection,
            report.report_id,
            reporting.now_ms(),
            reporting.claimed_by,
            name=name,
            bento=holder.tag,
            decision=decision.decision,
            sentence=sentence,
            numbers_json=json.dumps(numbers, allow_nan=False),
            decision_id=record_decision(
                connection,
                use_case.name,
                kind="drift",
                decision=decision.decision,
                sentence=sentence,
                numbers_json=json.dumps(
                    strict({**decision.numbers, **known, "report": report.report_id}), allow_nan=False
                ),
                at_ms=reporting.now_ms(),
            ),
        )
        if not is_ours:  # nothing of this transaction stays
            raise ReportTaken(f"another process has the report {report.report_id} by now")
    return _Measured(name, package, sides, drift, quality, sentence, numbers, at_ms)


def _quality(
    package: Package, holder: Version, sides: Compared, reporting: Reporting, at_ms: int
) -> QualityNumbers:
    use_case = reporting.use_case
    return quality_of(
        sides.current.answered,
        sides.reference.answered,
        package.contract,
        use_case.metric,
        margin=use_case.policy.quality_margin,
        reference_score=stored_score(holder.scores_json, use_case.metric),
        seed=use_case.seed,
        delays=_delays(sides, reporting.database, at_ms),
    )


def _delays(sides: Compared, database: Database, at_ms: int) -> LabelDelays | None:
    if sides.span is None:
        return None
    span = sides.span
    with database.reading() as connection:
        return label_delays(
            connection, span.use_case, from_ms=span.from_ms, before_ms=span.before_ms, at_ms=at_ms
        )


def _draw(report: Report, measured: _Measured, reporting: Reporting) -> None:
    """Files and workspace, then the end of the report."""
    html, texts = report_files(reporting.use_case.name, measured.name)
    snapshot = _drawn(measured, reporting)
    reporting.progress.stage("writing the files")
    from reporting.evidently_report import as_json, html_page
    from reporting.workspace import keep_run

    # First: a workspace that cannot be written must not cost the last good files.
    keep_run(reporting.home / WORKSPACE, reporting.use_case.name, snapshot)
    whole = {
        "report": report.report_id,  # first: who reads the file sees at once to which report it belongs
        **measured.numbers,
        "decision": measured.sentence,
        "evidently": as_json(snapshot),
    }
    write_together(
        {
            reporting.home / html: html_page(snapshot, report.report_id),
            reporting.home / texts: json.dumps(whole, indent=1, allow_nan=False).encode(),
        }
    )
    with reporting.database.writing() as connection:
        finish_report(
            connection,
            report.report_id,
            reporting.now_ms(),
            claimed_by=reporting.claimed_by,
            html=html.as_posix(),
            json=texts.as_posix(),
        )
        ended = replace(report, html=html.as_posix(), json=texts.as_posix())
        gone = retire_files(connection, ended)
    for path in gone:
        (reporting.home / path).unlink(missing_ok=True)


def _drawn(measured: _Measured, reporting: Reporting) -> Snapshot:
    reporting.progress.stage("drawing it with Evidently")
    from reporting.evidently_report import Sides, evidently_run

    sides = measured.sides
    return evidently_run(
        Sides(sides.reference, sides.current, measured.package.contract),
        measured.drift,
        measured.quality,
        title=f"{reporting.use_case.name}: {measured.sides.reference.name} and {measured.sides.current.name}",
        sentence=measured.sentence,
        drift_share=reporting.use_case.policy.drift_share,
        notes=measured.numbers["notes"],
        at_ms=measured.at_ms,
    )
