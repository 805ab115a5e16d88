"""What commands print: tables and progress."""

from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from storage.automation import Automation, automation
from storage.database import Database
from storage.promotions import next_promotion, open_promotions
from storage.quarantine import quarantined, suspended_sources
from storage.versions import history
from storage.versions import versions as all_versions

if TYPE_CHECKING:
    from training.outcome import Outcome

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def version_lines(database: Database, use_case: str) -> list[str]:
    """What runs, since when and why; then every Bento, newest first, and every change of a stage."""
    with database.reading() as connection:
        found = all_versions(connection, use_case)
        changes = history(connection, use_case)
        state = automation(connection, use_case)
        open_ones = open_promotions(connection, use_case)
        asked = next_promotion(connection, use_case)
    if not found:
        return [f"{use_case} has no versions yet; `rebento train` makes the first"]
    running = next((one for one in found if one.stage == "Production"), None)
    since = next((change for change in changes if running and change.tag == running.tag), None)
    lines = [
        f"{running.tag} is in Production since {_moment(since.changed_at_ms)} UTC: {since.reason}"
        if running and since
        else f"Nothing of {use_case} is in Production",
        f"Automation {_automation(state)}",
    ]
    for promotion in [*open_ones, *([asked] if asked else [])]:
        lines.append(f"{promotion.kind} of {promotion.tag} asked for by {promotion.actor}: {promotion.state}")
    lines.append("")
    for version in found:
        gone = ", files removed" if version.files_removed_at_ms else ""
        parent = f", learned after {version.parent}" if version.parent else ""
        lines += [
            f"{version.tag}  {version.stage}{gone}",
            f"    built {_moment(version.created_at_ms)} UTC{parent}",
            f"    {version.candidate}: {_scores(version.scores_json)} (on the holdout)",
        ]
        lines += [
            f"    {_moment(change.changed_at_ms)} {change.from_stage} -> {change.to_stage}, "
            f"{change.actor}: {change.reason}"
            for change in changes
            if change.tag == version.tag
        ]
    return lines


def quarantine_lines(database: Database, use_case: str) -> list[str]:
    """The sources whose feedback is held back, and rows held back one by one."""
    with database.reading() as connection:
        sources = suspended_sources(connection, use_case)
        rows = quarantined(connection, use_case, limit=1_000)
    if not sources and not rows:
        return [f"No feedback of {use_case} is held back."]
    lines = []
    for source in sources:
        lines += [
            f"{source.source}  {source.rows:,} rows held back since {_moment(source.since_ms)} UTC",
            f"    {source.reason}",
            f"    rebento quarantine --release {source.source}   or   --discard {source.source}",
        ]
    reasons = Counter(row.reason for row in rows if not row.of_suspension)
    return lines + [f"{count:,} single rows: {reason}" for reason, count in reasons.most_common()]


def _automation(state: Automation) -> str:
    if state.is_paused:
        return f"is paused since {_moment(state.paused_since_ms or 0)} UTC ({state.actor}: {state.reason})"
    if state.promotion_is_suspended:
        since = _moment(state.suspended_since_ms or 0)
        return f"retrains, but promotes nothing since {since} UTC ({state.reason}) until `rebento resume`"
    return "is running"


def outcome_table(outcome: Outcome) -> Group:
    """The candidates as cross-validated, and the winner's scores on the holdout."""
    candidates = Table(title=f"Candidates by cross-validated {outcome.metric}", title_justify="left")
    for heading in ("candidate", outcome.metric, "seconds"):
        candidates.add_column(heading, justify="left" if heading == "candidate" else "right")
    for result in outcome.candidates:
        candidates.add_row(result.name, f"{result.mean:.4f} ± {result.spread:.4f}", f"{result.seconds:.1f}")
    if outcome.without_pca is not None:
        result = outcome.without_pca
        candidates.add_row(
            f"{result.name}, columns without PCA",
            f"{result.mean:.4f} ± {result.spread:.4f}",
            f"{result.seconds:.1f}",
        )
    scores = Table(
        title=f"{outcome.bento} on {outcome.rows['holdout']:,} held-out rows", title_justify="left"
    )
    for heading in ("score", "value", "95 % interval"):
        scores.add_column(heading, justify="left" if heading == "score" else "right")
    for name, score in outcome.scores.items():
        scores.add_row(name, f"{score.value:.4f}", f"{score.low:.4f} to {score.high:.4f}")
    return Group(candidates, scores)


def _scores(scores_json: str) -> str:
    scores = json.loads(scores_json)
    return ", ".join(
        f"{name} {scores[name]['value']:.3f}"
        for name in ("roc_auc", "balanced_accuracy", "f1")
        if scores.get(name, {}).get("value") is not None
    )


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


class Bars:
    """Training's progress as bars, one a stage. Ctrl-C ends the stage at its next step at the latest."""

    def __init__(self, progress: Progress, interrupted: Callable[[], bool]) -> None:
        self._progress = progress
        self._interrupted = interrupted
        self._task: TaskID | None = None

    def stage(self, text: str, total: int | None = None) -> None:
        self.finish()
        self._task = self._progress.add_task(text, total=total)

    def advance(self, steps: int = 1) -> None:
        if self._interrupted():
            raise KeyboardInterrupt
        if self._task is not None:
            self._progress.advance(self._task, steps)

    def finish(self) -> None:
        if self._interrupted():
            raise KeyboardInterrupt
        if self._task is not None:
            done = self._progress.tasks[-1]
            total = done.total if done.total is not None else 1
            self._progress.update(self._task, total=total, completed=total)


@contextmanager
def bars(*, quiet: bool = False) -> Iterator[Bars]:
    """Progress on standard error; quiet: none is drawn, and a signal still ends it at its next step."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with (
        _remembering_interrupts() as interrupted,
        Progress(*columns, console=err, disable=quiet) as progress,
    ):
        drawn = Bars(progress, interrupted)
        yield drawn
        drawn.finish()


@contextmanager
def _remembering_interrupts() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed, or SIGTERM came, in the block, which then ends as interrupted, whatever
    else it raised.

    C code in the libraries swallows a KeyboardInterrupt now and then, or turns it into an error of its own
    (pandas' reader does).
    """
    pressed = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN or threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return

    def press(number: int, frame: FrameType | None) -> None:
        pressed.set()
        raise KeyboardInterrupt

    asked_before = signal.signal(signal.SIGTERM, press)
    signal.signal(signal.SIGINT, press)
    try:
        yield pressed.is_set
    except Exception:
        if pressed.is_set():
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTERM, asked_before)


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    columns = (SpinnerColumn(), MofNCompleteColumn(), TextColumn(what), TimeElapsedColumn())
    # Gone at the end: the command's own line says the count, or its refusal stands alone.
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda rows: progress.advance(task, rows)
