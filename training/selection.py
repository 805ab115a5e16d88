"""Candidates compared by cross-validation, one person's rows never on both sides of a fold."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from loop.evaluation import LOWER_IS_BETTER, score
from loop.progress import Progress
from loop.refusals import NotTrainable
from training.candidates import build_candidate, fit_candidate, noting_convergence, probabilities
from training.embedding import block_frame, fit_pipeline
from training.labelled import LabelledRows
from training.pipeline import fit_scaler, scaled
from use_cases.contract import Contract
from use_cases.schema import Embedding
from use_cases.use_case import UseCase

FOLDS = 5
"""Five: 80 % of the rows to fit on, and a whole comparison of 16,000 rows stays under a minute."""

LEAST_IDENTITIES = 5
"""A class with fewer identities than this could be absent from a fold."""


@dataclass(frozen=True, slots=True)
class CandidateResult:
    """What cross-validation said of one candidate."""

    name: str
    settings: Mapping[str, Any]
    mean: float
    """Of the deciding metric over the folds."""
    spread: float
    """Standard deviation of the folds."""
    folds: tuple[float, ...]
    seconds: float
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The candidates, best first, and what the best said of rows it had not seen."""

    metric: str
    results: tuple[CandidateResult, ...]
    out_of_fold: np.ndarray
    """float64 (rows, classes) of the best, in the order of the training rows."""

    @property
    def best(self) -> CandidateResult:
        return self.results[0]


Fold = tuple[np.ndarray, np.ndarray]


def compare(
    use_case: UseCase,
    contract: Contract,
    training: LabelledRows,
    progress: Progress,
    *,
    candidates: Mapping[str, Mapping[str, Any]] | None = None,
    weights: np.ndarray | None = None,
) -> Comparison:
    """The candidates (None: all of the use case) on the same folds. Ties go to the one named first.

    Each fold fits embedding, scaler and model on its own training rows, the model by their `weights`
    (rows,); all rows score alike. Raises NotTrainable where a class has too few identities for that,
    UseCaseMistake for a candidate's settings.
    """
    folds = person_folds(training, use_case.seed)
    named = candidates or {str(name): settings for name, settings in use_case.candidates.items()}
    # All settings are looked at before the first long fit.
    for name, settings in named.items():
        build_candidate(name, settings, use_case.seed)
    which = f"{len(named)} candidates" if len(named) > 1 else next(iter(named))
    progress.stage(f"comparing {which} on {len(folds)} folds", len(folds) * (len(named) + 1))
    embedded = _embedded_folds(contract, use_case.embedding, use_case, training, folds, progress)
    found = [
        _cross_validated(use_case, contract, name, settings, training, weights, folds, embedded, progress)
        for name, settings in named.items()
    ]
    sign = 1 if use_case.metric in LOWER_IS_BETTER else -1
    ranked = sorted(found, key=lambda one: (math.isnan(one[0].mean), sign * one[0].mean))
    if math.isnan(ranked[0][0].mean):
        raise NotTrainable(
            f"No candidate of {use_case.name} could be given a {use_case.metric}: some fold holds one class "
            "only. Add rows of the rarer classes, or choose another metric."
        )
    return Comparison(use_case.metric, tuple(result for result, _ in ranked), ranked[0][1])


def cost_of_embedding(
    use_case: UseCase, contract: Contract, training: LabelledRows, name: str, progress: Progress
) -> CandidateResult | None:
    """The candidate on the same folds with the encoded columns as they are; None where they are already."""
    if use_case.embedding.kind == "columns":
        return None
    folds = person_folds(training, use_case.seed)
    progress.stage(f"{name} without the PCA, to tell what it costs", 2 * len(folds))
    columns = Embedding(kind="columns")
    embedded = _embedded_folds(contract, columns, use_case, training, folds, progress)
    settings = use_case.candidates[name]  # type: ignore[index]
    return _cross_validated(use_case, contract, name, settings, training, None, folds, embedded, progress)[0]


def person_folds(training: LabelledRows, seed: int) -> list[Fold]:
    """Places to fit on and places to answer, each row answered once, classes spread evenly."""
    classes, places = np.unique(training.labels, return_inverse=True)
    identities, groups = np.unique(training.identities, return_inverse=True)
    for place, name in enumerate(classes):
        there = len(np.unique(groups[places == place]))
        if there < LEAST_IDENTITIES:
            raise NotTrainable(
                f"Class {str(name)!r} has rows of {there} ids in the training part, and cross-validation "
                f"needs {LEAST_IDENTITIES}: add rows of it, or list the other labels under classes."
            )
    if len(identities) == len(training):  # far quicker, and the same where every row is its own group
        return list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(places, places))
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    return list(splitter.split(places, places, groups))


def _embedded_folds(
    contract: Contract,
    embedding: Embedding,
    use_case: UseCase,
    training: LabelledRows,
    folds: list[Fold],
    progress: Progress,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each fold, scaled float32 vectors to fit on and to answer."""
    embedded = []
    for fit_on, answer in folds:
        inside, outside = training.take(fit_on).rows, training.take(answer).rows
        pipeline = fit_pipeline(contract, embedding, inside, use_case.seed)
        vectors = [
            np.asarray(pipeline.transform(block_frame(contract, rows)), dtype=np.float32)
            for rows in (inside, outside)
        ]
        scaler = fit_scaler(use_case.scaler, vectors[0])
        embedded.append((scaled(scaler, vectors[0]), scaled(scaler, vectors[1])))
        progress.advance()
    return embedded


def _cross_validated(
    use_case: UseCase,
    contract: Contract,
    name: str,
    settings: Mapping[str, Any],
    training: LabelledRows,
    weights: np.ndarray | None,
    folds: list[Fold],
    embedded: list[tuple[np.ndarray, np.ndarray]],
    progress: Progress,
) -> tuple[CandidateResult, np.ndarray]:
    out_of_fold = np.zeros((len(training), len(contract.classes)))
    scores = []
    notes: dict[str, None] = {}
    began = time.perf_counter()

    def fitted(place: int) -> tuple[np.ndarray, tuple[str, ...]]:
        inside, outside = embedded[place]
        model = build_candidate(name, settings, use_case.seed)
        fit_on = folds[place][0]
        heavy = None if weights is None else weights[fit_on]
        said = fit_candidate(name, model, inside, training.labels[fit_on], heavy, threads=1)
        return probabilities(model, outside, contract.classes), said

    # Folds side by side, a thread each: forests and boosting leave the interpreter free while they fit,
    # and several OpenMP threads a fold would wait for each other wherever a core is busy.
    with noting_convergence(), ThreadPoolExecutor(os.cpu_count()) as threads:
        try:
            for (_, answer), (answers, said) in zip(
                folds, threads.map(fitted, range(len(folds))), strict=True
            ):
                notes |= dict.fromkeys(said)
                out_of_fold[answer] = answers
                labels = training.labels[answer].tolist()
                scores.append(score(use_case.metric, labels, answers, contract.classes, contract.positive))
                progress.advance()
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    result = CandidateResult(
        name=name,
        settings=dict(settings),
        mean=float(np.mean(scores)),
        spread=float(np.std(scores)),
        folds=tuple(scores),
        seconds=time.perf_counter() - began,
        notes=tuple(notes),
    )
    return result, out_of_fold
