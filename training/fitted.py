"""The fitted pipeline as a file for fine-tuning: skops, which names its types and runs no code of a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import skops.io
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from loop.refusals import BrokenPackage

PIPELINE = "pipeline.skops"

TRUSTED_TYPES = (
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
"""All that our candidates hold beyond what skops knows; anything else in a file is refused."""


@dataclass(frozen=True, slots=True)
class StoredPipeline:
    """What was fitted: embedding of `training.embedding.block_frame`s, scaler of its vectors, model."""

    embedding: Pipeline
    scaler: BaseEstimator | None
    model: BaseEstimator
    classes: tuple[str, ...]


def write_pipeline(path: Path, steps: dict[str, Any]) -> None:
    """Raises BrokenPackage where the steps hold a type that reading would refuse."""
    skops.io.dump(steps, path)
    _refuse_unknown(path)


def read_pipeline(path: Path) -> StoredPipeline:
    """Raises BrokenPackage where the file is absent, damaged, or holds a type that is not ours."""
    _refuse_unknown(path)
    steps = skops.io.load(path, trusted=list(TRUSTED_TYPES))
    return StoredPipeline(steps["embedding"], steps["scaler"], steps["model"], tuple(steps["classes"]))


def _refuse_unknown(path: Path) -> None:
    try:
        unknown = set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED_TYPES)
    except Exception as error:  # a damaged zip, JSON or array each raises its own
        raise BrokenPackage(f"the fitted pipeline {path} cannot be read ({error}); train again.") from error
    if unknown:
        raise BrokenPackage(
            f"the fitted pipeline {path} holds {', '.join(sorted(unknown))}, which no pipeline of ours does: "
            "it is not loaded. Train again."
        )
