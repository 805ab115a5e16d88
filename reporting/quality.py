"""How good the champion's answers are: promised, estimated before the truth comes, and realised after."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from loop.class_scores import ClassScores, ConfidenceBin, class_scores, confidence_bins
from loop.estimation import ESTIMATED, Reference, estimate, estimate_error
from loop.estimation import RESAMPLES as ESTIMATE_RESAMPLES
from loop.evaluation import LOWER_IS_BETTER, RESAMPLES, Evaluation, Score, evaluate
from loop.quality_words import BLIND, EVERY_ROW, estimate_sentence
from loop.triggers import quality_decision
from reporting.quality_numbers import QualityNumbers as QualityNumbers
from storage.label_delays import LabelDelays
from use_cases.contract import Contract

LEAST_SCORED = 20
"""Rows below which no score is given: its interval would span the scale, or by luck have no width."""

LEAST_REFERENCE = 100
"""Reference answers below which nothing can be calibrated."""

_WEIGHTS = 5_000_000
"""Rows times resamples. 50,000 rows are resampled 100 times and not 1,000: their intervals are narrow."""
_LEAST_RESAMPLES = 100


class Answers(Protocol):
    """What of `reporting.windows.Answered` is read here; arrays of (rows,) and (rows, classes)."""

    @property
    def labels(self) -> np.ndarray: ...
    @property
    def probabilities(self) -> np.ndarray: ...
    @property
    def identities(self) -> np.ndarray: ...
    @property
    def total_rows(self) -> int: ...
    @property
    def total_labelled(self) -> int: ...


def stored_score(scores_json: str, metric: str) -> Score | None:
    """A version's score on rows it had not learned from (`storage.versions.Version.scores_json`)."""
    found = json.loads(scores_json).get(metric) or {}
    value = found.get("value")
    if value is None:
        return None
    low, high = (value if found.get(end) is None else found[end] for end in ("low", "high"))
    return Score(float(value), float(low), float(high))


def quality_of(
    window: Answers,
    reference: Answers,
    contract: Contract,
    metric: str,
    *,
    margin: float,
    reference_score: Score | None,
    seed: int,
    delays: LabelDelays | None = None,
) -> QualityNumbers:
    """Realised and estimated quality of a window's answers, and whether the champion must be replaced.

    `reference` are answers with truths to rows that the champion had not learned from; they calibrate.
    Whatever is absent (labels, classes, rows) leaves its number out and a sentence in the notes.
    """
    notes: list[str] = []
    told = _Told.of(window, contract.classes, notes)
    calibrating = _calibrating(reference, contract.classes, metric, notes)
    resamples = _resamples(len(told.labels), RESAMPLES)
    evaluation: Evaluation | None = None
    classes: dict[str, ClassScores] = {}
    confidence: tuple[ConfidenceBin, ...] = ()
    off: dict[str, tuple[float, Score]] = {}
    if len(told.labels) >= LEAST_SCORED:
        answers = (told.labels, told.probabilities, contract.classes)
        evaluation = evaluate(
            *answers, contract.positive, identities=told.identities, seed=seed, resamples=resamples
        )
        classes = class_scores(*answers, identities=told.identities, seed=seed, resamples=resamples)
        confidence = confidence_bins(*answers)
        if math.isnan(evaluation.scores[metric].value):
            notes.append(
                f"All {len(told.labels):,} true answers are {told.labels[0]!r}: {metric} cannot be told of "
                "one class."
            )
        if calibrating is not None:
            off = estimate_error(
                *answers,
                contract.positive,
                calibrating,
                identities=told.identities,
                seed=seed,
                resamples=_resamples(len(told.labels), ESTIMATE_RESAMPLES),
            )
    rows, of = _to_estimate(window)
    estimated: dict[str, Score] = {}
    if calibrating is not None and len(rows) >= LEAST_SCORED:
        estimated = estimate(
            window.probabilities[rows],
            contract.classes,
            contract.positive,
            calibrating,
            identities=[str(identity) for identity in window.identities[rows]],
            seed=seed,
            resamples=_resamples(len(rows), ESTIMATE_RESAMPLES),
        )
        notes += _of_estimate(metric, of, off.get(metric))
    return QualityNumbers(
        metric=metric,
        reference=reference_score,
        evaluation=evaluation,
        estimated=estimated,
        estimated_rows=len(rows),
        estimated_of=of,
        estimate_error=off,
        classes=classes,
        confidence=confidence,
        coverage=window.total_labelled / window.total_rows if window.total_rows else None,
        delays=delays,
        notes=tuple(notes),
        decision=quality_decision(
            metric,
            math.nan if reference_score is None else reference_score.value,
            told.labels,
            told.probabilities,
            contract.classes,
            contract.positive,
            margin=margin,
            identities=told.identities,
            seed=seed,
            resamples=resamples,
        ),
    )


def _resamples(rows: int, most: int) -> int:
    return int(np.clip(_WEIGHTS // max(rows, 1), _LEAST_RESAMPLES, most))


@dataclass(frozen=True)
class _Told:
    """Answers whose truth is known and is one of the model's classes."""

    labels: list[str]
    probabilities: np.ndarray
    identities: list[str]

    @classmethod
    def of(cls, window: Answers, classes: tuple[str, ...], notes: list[str]) -> _Told:
        is_told = np.array([label is not None for label in window.labels], dtype=bool)
        is_known = np.array([label in classes for label in window.labels], dtype=bool)
        answered, told, known = len(is_told), int(is_told.sum()), int(is_known.sum())
        if not answered:
            notes.append(
                "The champion has answered no row of this window: nothing can be said of its quality."
            )
        elif not told:
            notes.append(f"None of {answered:,} answers has its true answer yet: no quality is realised.")
        elif known < LEAST_SCORED:
            notes.append(
                f"{known:,} of {answered:,} answers have a true answer that the model knows: scores are "
                f"given from {LEAST_SCORED} on."
            )
        if known < told:
            never = Counter(str(label) for label in window.labels[is_told & ~is_known])
            named = ", ".join(f"{name!r} ({count:,})" for name, count in never.most_common(3))
            notes.append(
                f"{told - known:,} of {told:,} true answers are none that the model can give: {named}. It "
                "had all of them wrong; the scores are of the others. Train again to let it learn them."
            )
        places = np.flatnonzero(is_known)
        return cls(
            labels=[str(label) for label in window.labels[places]],
            probabilities=window.probabilities[places],
            identities=[str(identity) for identity in window.identities[places]],
        )


def _calibrating(
    reference: Answers, classes: tuple[str, ...], metric: str, notes: list[str]
) -> Reference | None:
    """The reference answers that an estimate starts from; None, and a note: none can be made."""
    if metric not in ESTIMATED:
        notes.append(
            f"{metric} cannot be estimated without true answers: estimates take the probabilities for true."
        )
    places = np.flatnonzero([label in classes for label in reference.labels])
    labels = [str(label) for label in reference.labels[places]]
    if len(labels) < LEAST_REFERENCE or len(set(labels)) < 2:
        notes.append(
            f"No quality is estimated: of the reference {len(labels):,} answers with a truth are there, and "
            f"it takes {LEAST_REFERENCE} of two classes."
        )
        return None
    identities = [str(identity) for identity in reference.identities[places]]
    return Reference(labels, reference.probabilities[places], identities)


def _to_estimate(window: Answers) -> tuple[np.ndarray, Literal["unlabelled", "all"]]:
    unlabelled = np.flatnonzero([label is None for label in window.labels])
    if len(unlabelled) >= LEAST_SCORED:
        return unlabelled, "unlabelled"
    return np.arange(len(window.labels)), "all"


def _of_estimate(metric: str, of: str, off: tuple[float, Score] | None) -> list[str]:
    """How far to trust the estimate: what the labelled rows say of it, and what it never sees."""
    said = [EVERY_ROW] if of == "all" else []
    if off is not None and not math.isnan(off[1].value):
        said.append(estimate_sentence(off[1].low, off[1].high, is_loss=metric in LOWER_IS_BETTER))
    return [*said, BLIND]
