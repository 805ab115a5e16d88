"""The files that travel inside a Bento's model, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from loop.refusals import BrokenPackage
from runner.graph import Graph
from runner.rows import RowChecker
from use_cases.contract import Contract

GRAPH, CONTRACT, INFO, GOLDEN = "graph.onnx", "contract.json", "package.json", "golden.json"
REFERENCE, MODEL_CARD = "reference.parquet", "model_card.md"
#: Largest difference between two computations of one probability that still counts as equal.
TOLERANCE = 1e-5


class PackageInfo(BaseModel):
    """What the build knew of itself: package.json."""

    model_config = ConfigDict(frozen=True, extra="ignore")  # an older Bento reads a newer file, too

    use_case: str
    version: str
    model: str
    """Exact tag of the BentoML model."""
    bento: str
    """Tag of the Bento that was built from it."""
    created_at: str
    """ISO 8601, UTC."""
    run_id: str
    data_digest: str
    code_revision: str
    candidate: str
    metric: str
    seed: int
    holdout: float
    """Share of identities that no version ever trains on."""
    k: int
    """Feedbacks from one training request to the next."""
    dimensions: list[str]
    """Names of the vector's dimensions, in order."""
    parent: str | None = None
    scores: dict[str, Any] = {}
    recipe: dict[str, Any] | None = None
    """How it was fitted (`training.recipe.Recipe`); None in a Bento from before there were several ways."""


class GoldenRows(BaseModel):
    """Real rows with the answers the graph gave when it was built."""

    model_config = ConfigDict(frozen=True)

    rows: list[dict[str, Any]]
    vectors: list[list[float]]
    labels: list[str]
    probabilities: list[list[float]]


@dataclass(frozen=True)
class Package:
    """An opened model: ready to answer."""

    folder: Path
    info: PackageInfo
    contract: Contract
    checker: RowChecker
    graph: Graph

    @classmethod
    def open(cls, folder: Path, threads: int = 1) -> Package:
        """Raises BrokenPackage, naming the file, where one is absent or unreadable."""
        try:
            contract = Contract.read(folder / CONTRACT)
            info = PackageInfo.model_validate_json((folder / INFO).read_text(encoding="utf-8"))
        except (OSError, ValidationError) as error:
            raise BrokenPackage(f"the model in {folder} cannot be read: {error}") from error
        return cls(folder, info, contract, RowChecker(contract), Graph.open(folder / GRAPH, threads))

    def check_golden_rows(self) -> int:
        """How many golden rows answered as when the graph was built; BrokenPackage if one did not."""
        path = self.folder / GOLDEN
        try:
            golden = GoldenRows.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, ValidationError) as error:
            raise BrokenPackage(f"the golden rows {path} cannot be read: {error}") from error
        checked = self.checker.check(golden.rows)
        answers = self.graph.answer(checked.numbers, checked.categories)
        expected = np.asarray(golden.probabilities, dtype=np.float32)
        apart = np.abs(answers.probabilities - expected).max(axis=1)
        for index, distance in enumerate(apart):
            if answers.labels[index] != golden.labels[index] or not distance <= TOLERANCE:
                raise BrokenPackage(
                    f"golden row {index} of {self.info.bento} answers {answers.labels[index]} where "
                    f"{golden.labels[index]} was built (probabilities {distance:.2g} apart): this machine or "
                    "its libraries compute differently; train again here"
                )
        return len(golden.rows)
