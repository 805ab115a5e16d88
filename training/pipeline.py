"""Embedding, scaler and model as one: fitted so that graph and pipeline agree on every row.

The scaler and the model are fitted on the 32-bit vectors that the ONNX embedding produces. What is fitted of
the scaler is rounded to 32 bits, and the graph divides where scikit-learn divides: the model sees the very
same numbers in both, also at a tree's thresholds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from sklearn.base import BaseEstimator

from loop.refusals import BrokenPackage
from runner.package import TOLERANCE
from runner.rows import CheckedRows
from training.candidates import (
    build_candidate,
    build_scaler,
    fit_candidate,
    noting_convergence,
    probabilities,
)
from training.embedding import FittedEmbedding, block_frame
from training.graph import model_graph, one_graph, run_graph
from use_cases.contract import Contract
from use_cases.use_case import UseCase

EMBEDDING_TOLERANCE = 1e-3
"""Largest difference between the two embeddings, in units of a dimension's spread: 32 bits against 64."""


@dataclass(frozen=True, slots=True)
class FittedPipeline:
    """A whole fitted pipeline, and the one graph that serves it."""

    candidate: str
    embedding: FittedEmbedding
    scaler: BaseEstimator | None
    model: BaseEstimator
    classes: tuple[str, ...]
    graph: onnx.ModelProto
    notes: tuple[str, ...]

    def probabilities(self, vectors: np.ndarray) -> np.ndarray:
        """float64 (rows, classes) of scaler and model for the ONNX embedding's vectors."""
        return probabilities(self.model, scaled(self.scaler, vectors), self.classes)


def fit_whole(
    use_case: UseCase,
    candidate: str,
    embedding: FittedEmbedding,
    vectors: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None = None,
    settings: Mapping[str, Any] | None = None,
) -> FittedPipeline:
    """Scaler and candidate fitted on the embedding's vectors (rows, dimensions) of the training rows.

    `weights` (rows,) are the model's; `settings` (None: the use case's) the candidate's.
    """
    scaler = fit_scaler(use_case.scaler, vectors)
    if settings is None:
        settings = use_case.candidates[candidate]  # type: ignore[index]
    model = build_candidate(candidate, settings, use_case.seed)
    with noting_convergence():
        notes = fit_candidate(
            candidate, model, scaled(scaler, vectors), labels, weights, threads=spare_cores()
        )
    return whole(candidate, embedding, scaler, model, notes)


def whole(
    candidate: str,
    embedding: FittedEmbedding,
    scaler: BaseEstimator | None,
    model: BaseEstimator,
    notes: tuple[str, ...],
) -> FittedPipeline:
    """The fitted parts with the one graph of all three. Raises BrokenPackage where they have none."""
    graph = one_graph(embedding.graph, model_graph(scaler, model, len(embedding.dimensions)))
    classes = tuple(str(label) for label in model.classes_)
    return FittedPipeline(candidate, embedding, scaler, model, classes, graph, notes)


def spare_cores() -> int:
    """All cores but one. Beside a busy process two OpenMP threads took ten times as long as one."""
    return max(1, (os.cpu_count() or 1) - 1)


def fit_scaler(kind: str, vectors: np.ndarray) -> BaseEstimator | None:
    """The scaler fitted on float32 vectors, what it fitted rounded to the 32 bits of the graph."""
    scaler = build_scaler(kind)
    if scaler is None:
        return None
    scaler.fit(vectors.astype(np.float64))
    for name in ("mean_", "scale_", "min_"):
        if hasattr(scaler, name):
            setattr(scaler, name, getattr(scaler, name).astype(np.float32).astype(np.float64))
    return scaler


def scaled(scaler: BaseEstimator | None, vectors: np.ndarray) -> np.ndarray:
    """float32 (rows, dimensions): what the model is given."""
    return vectors if scaler is None else np.asarray(scaler.transform(vectors))


def check_agreement(fitted: FittedPipeline, contract: Contract, rows: CheckedRows) -> float:
    """The largest difference between the graph's and the pipeline's probabilities on these rows.

    Raises BrokenPackage where one is above 1e-5, where a label differs although its class does not tie
    with the likeliest within 1e-5, where the label is not the graph's own likeliest class, or where the
    two embeddings differ by more than 1e-3 of a dimension's spread.
    """
    vectors, labels, answers = run_graph(
        fitted.graph, rows.numbers, rows.categories, ("vector", "label", "probabilities")
    )
    if fitted.classes != contract.classes:
        raise BrokenPackage(
            f"the model answers {', '.join(fitted.classes)} where the contract says "
            f"{', '.join(contract.classes)}: train again."
        )
    expected = fitted.probabilities(vectors)
    worst = _check_probabilities(fitted, answers, expected)
    likeliest = expected.max(axis=1)
    places = {name: place for place, name in enumerate(fitted.classes)}
    given = expected[np.arange(len(expected)), [places.get(label, -1) for label in labels.tolist()]]
    wrong = np.array([label not in places for label in labels.tolist()]) | (likeliest - given > TOLERANCE)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise BrokenPackage(
            f"graph and pipeline of {fitted.candidate} answer differently on {int(wrong.sum())} of "
            f"{len(wrong)} holdout rows, first on row {row}: {labels[row]!r} against "
            f"{fitted.classes[int(expected[row].argmax())]!r}. This is a fault of the conversion; "
            "leave that candidate out of use_case.yaml."
        )
    reference = fitted.embedding.pipeline.transform(block_frame(contract, rows))
    spread = np.maximum(1.0, reference.std(axis=0))
    apart = np.abs(vectors - reference) / spread
    if not np.all(apart <= EMBEDDING_TOLERANCE):
        cell = np.nanargmax(np.where(np.isnan(apart), np.inf, apart))
        row, dimension = (int(place) for place in np.unravel_index(cell, apart.shape))
        raise BrokenPackage(
            f"the graph's embedding differs from scikit-learn's by {apart[row, dimension]:.2g} on holdout "
            f"row {row}, {fitted.embedding.dimensions[dimension]}: a column's values are too large for "
            "32 bits; rescale it in the data, or put it under ignore."
        )
    return worst


def _check_probabilities(fitted: FittedPipeline, answers: np.ndarray, expected: np.ndarray) -> float:
    if answers.shape != expected.shape:
        raise BrokenPackage(
            f"the graph answers {answers.shape[1]} probabilities a row, the pipeline {expected.shape[1]}: "
            "train again."
        )
    apart = np.abs(answers - expected).max(axis=1)
    beyond = ~(apart <= TOLERANCE)  # so that NaN is beyond as well
    if beyond.any():
        raise BrokenPackage(
            f"graph and pipeline of {fitted.candidate} differ by {np.nanmax(apart):.2g} in a probability "
            f"(at most {TOLERANCE:g} is allowed) and differ too much on {int(beyond.sum())} of {len(apart)} "
            "holdout rows: large unscaled values do that. Set scaler: standard, or leave that candidate out "
            "of use_case.yaml."
        )
    return float(apart.max(initial=0.0))


def steps(fitted: FittedPipeline) -> dict[str, Any]:
    """What travels beside the graph for fine-tuning: plain scikit-learn objects by name."""
    return {
        "embedding": fitted.embedding.pipeline,
        "scaler": fitted.scaler,
        "model": fitted.model,
        "classes": list(fitted.classes),
    }
