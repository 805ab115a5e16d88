"""The embedding: raw rows, as a block of numbers and a block of categories, become vectors.

Numbers are imputed (median), categories one-hot encoded. `columns` keeps these as they are, numbers in
their own unit; `pca` standardises the numbers and keeps the directions in which the rows differ most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from loop.refusals import NotTrainable
from runner.rows import CheckedRows
from training.graph import embedding_graph, run_graph
from use_cases.contract import MISSING_CATEGORY, Contract
from use_cases.schema import Embedding


@dataclass(frozen=True, slots=True)
class FittedEmbedding:
    """An embedding fitted on training rows, as scikit-learn and as the graph that serves."""

    pipeline: Pipeline
    graph: onnx.ModelProto
    """Inputs `numbers` and `categories` (an empty block has none), output `vector`."""
    dimensions: tuple[str, ...]
    encoded_columns: int
    """Columns before PCA; equal to the number of dimensions without it."""
    kept_variance: float
    """Share of the encoded columns' variance that the vectors keep; 1 without PCA."""

    def vectors(self, rows: CheckedRows) -> np.ndarray:
        """float32 (rows, dimensions), as the graph computes them."""
        (vectors,) = run_graph(self.graph, rows.numbers, rows.categories, ("vector",))
        return np.asarray(vectors)


def fit_embedding(contract: Contract, settings: Embedding, rows: CheckedRows, seed: int) -> FittedEmbedding:
    """The embedding of these training rows. Raises NotTrainable where all rows are alike."""
    return embedding_of(contract, fit_pipeline(contract, settings, rows, seed))


def embedding_of(contract: Contract, pipeline: Pipeline) -> FittedEmbedding:
    """A fitted pipeline, of now or read from the store, with its graph."""
    encoded = _encoded_names(contract)
    pca = pipeline.named_steps.get("pca")
    return FittedEmbedding(
        pipeline=pipeline,
        graph=embedding_graph(pipeline, len(contract.number_columns), len(contract.category_columns)),
        dimensions=(
            encoded if pca is None else tuple(f"PCA_{i}" for i in range(1, int(pca.n_components_) + 1))
        ),
        encoded_columns=len(encoded),
        kept_variance=1.0 if pca is None else float(pca.explained_variance_ratio_.sum()),
    )


def fit_pipeline(contract: Contract, settings: Embedding, rows: CheckedRows, seed: int) -> Pipeline:
    """The scikit-learn embedding alone, for comparisons that need no graph. Takes `block_frame`s."""
    numbers = len(contract.number_columns)
    frame = block_frame(contract, rows)
    blocks: list[tuple[str, Any, list[int]]] = []
    if numbers:
        steps: list[tuple[str, Any]] = [
            # A column that is empty in these rows stays, as zeros: the contract lists it.
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True))
        ]
        if settings.kind == "pca":
            steps.append(("standardise", StandardScaler()))
        blocks.append(("numbers", Pipeline(steps), list(range(numbers))))
    if contract.category_columns:
        encoder = OneHotEncoder(
            categories=_known_categories(contract), handle_unknown="ignore", sparse_output=False
        )
        blocks.append(("categories", encoder, list(range(numbers, frame.shape[1]))))
    # BLAS adds in another order with another number of threads: one thread, so that bytes repeat.
    with threadpool_limits(limits=1):
        encode = ColumnTransformer(blocks).fit(frame)
        encoded = encode.transform(frame)
        if not np.ptp(encoded, axis=0).any():
            raise NotTrainable(
                f"All {len(frame)} training rows of {contract.use_case} are alike in every column; "
                "there is nothing to tell classes apart by."
            )
        fitted: list[tuple[str, Any]] = [("encode", encode)]
        if settings.kind == "pca":
            fitted.append(("pca", _fitted_pca(settings, encoded, seed)))
    return Pipeline(fitted)


def block_frame(contract: Contract, rows: CheckedRows) -> pd.DataFrame:
    """The two blocks side by side as the scikit-learn embedding takes them.

    Numbers stay float32, so that scikit-learn subtracts the same 32-bit mean as the graph: where values are
    large and close together (years, codes) a mean of 64 bits would put the two embeddings apart.
    """
    numbers = pd.DataFrame(rows.numbers, columns=[column.name for column in contract.number_columns])
    categories = pd.DataFrame(rows.categories, columns=[column.name for column in contract.category_columns])
    return pd.concat([numbers, categories], axis=1)


def _fitted_pca(settings: Embedding, encoded: np.ndarray, seed: int) -> PCA:
    most = max(1, min(encoded.shape[1], len(encoded) - 1))
    components = settings.variance if settings.components is None else min(settings.components, most)
    # The one solver that is exact, quick for many rows, and can keep a share of variance.
    return PCA(components, svd_solver="covariance_eigh", random_state=seed).fit(encoded)


def _known_categories(contract: Contract) -> list[np.ndarray]:
    return [
        np.array(sorted(column.categories) + ([MISSING_CATEGORY] if column.nullable else []), dtype=object)
        for column in contract.category_columns
    ]


def _encoded_names(contract: Contract) -> tuple[str, ...]:
    """`income`, `plan=free`: the encoded columns in the order of the vector, each name once."""
    names = [column.name for column in contract.number_columns]
    for column, known in zip(contract.category_columns, _known_categories(contract), strict=True):
        names += [f"{column.name}={value}" for value in known]
    used: dict[str, int] = {}
    unique = []
    for name in names:
        used[name] = used.get(name, 0) + 1
        unique.append(name if used[name] == 1 else f"{name} ({used[name]})")
    return tuple(unique)
