"""A fitted pipeline as two folders for the store: the model that serves, and the one that learns on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from runner.package import CONTRACT, GOLDEN, GRAPH, INFO, MODEL_CARD, REFERENCE, Package, PackageInfo
from training.fitted import PIPELINE, write_pipeline
from training.golden import golden_rows, reference_sample
from training.labelled import LabelledRows
from training.pipeline import FittedPipeline, steps
from use_cases.contract import Contract


@dataclass(frozen=True, slots=True)
class Contents:
    """All that goes into a package."""

    info: PackageInfo
    contract: Contract
    fitted: FittedPipeline
    holdout: LabelledRows
    training_frame: pd.DataFrame
    out_of_fold: np.ndarray
    """float64 (training rows, classes)."""
    card: str


def write_package(contents: Contents, package: Path, pipeline: Path) -> None:
    """Writes both folders, then opens the package as a worker will. Raises BrokenPackage where it cannot."""
    package.mkdir(parents=True)
    pipeline.mkdir(parents=True)
    info, contract = contents.info, contents.contract
    (package / GRAPH).write_bytes(contents.fitted.graph.SerializeToString(deterministic=True))
    contract.write(package / CONTRACT)
    (package / INFO).write_text(info.model_dump_json(indent=1), encoding="utf-8")
    golden = golden_rows(contract, package / GRAPH, contents.holdout)
    (package / GOLDEN).write_text(golden.model_dump_json(indent=1), encoding="utf-8")
    sample = reference_sample(contract, contents.training_frame, contents.out_of_fold, info.seed)
    sample.to_parquet(package / REFERENCE, index=False)
    (package / MODEL_CARD).write_text(contents.card, encoding="utf-8")
    write_pipeline(pipeline / PIPELINE, steps(contents.fitted))
    contract.write(pipeline / CONTRACT)
    (pipeline / INFO).write_text(info.model_dump_json(indent=1), encoding="utf-8")
    Package.open(package).check_golden_rows()
