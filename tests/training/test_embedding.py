from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from loop.refusals import NotTrainable
from runner.rows import RowChecker
from tests.training.conftest import use_case_of, visits
from training.embedding import block_frame, fit_embedding
from training.preparation import PreparedRows
from use_cases.contract import Contract
from use_cases.derive import derive_contract, frame_rows
from use_cases.schema import Embedding


def of_frame(frame: pd.DataFrame) -> tuple[Contract, Any]:
    contract = derive_contract(use_case_of(id=None), frame)
    return contract, RowChecker(contract).check(frame_rows(contract, frame))


@pytest.mark.parametrize(
    ("settings", "dimensions"),
    [
        (Embedding(kind="pca", components=3), ("PCA_1", "PCA_2", "PCA_3")),
        (
            Embedding(kind="columns"),
            (
                *("income", "age", "member", "since", "empty", "constant"),
                *("plan=free", "plan=full", "plan=half", "site=North", "site=South", "site=(missing)"),
            ),
        ),
    ],
)
def test_dimensions_bear_their_names(
    prepared: PreparedRows, settings: Embedding, dimensions: tuple[str, ...]
) -> None:
    embedding = fit_embedding(prepared.contract, settings, prepared.training.rows, 0)
    assert embedding.dimensions == dimensions
    vectors = embedding.vectors(prepared.holdout.rows)
    assert vectors.shape == (len(prepared.holdout), len(dimensions)) and vectors.dtype == np.float32
    expected = embedding.pipeline.transform(block_frame(prepared.contract, prepared.holdout.rows))
    assert np.abs(vectors - expected).max() < 1e-3


def test_columns_keep_their_own_unit(prepared: PreparedRows) -> None:
    embedding = fit_embedding(prepared.contract, Embedding(kind="columns"), prepared.training.rows, 0)
    vectors = embedding.vectors(prepared.holdout.rows)
    ages = [row["age"] for row in prepared.holdout.rows.rows]
    assert vectors[:, embedding.dimensions.index("age")].tolist() == ages
    incomes = vectors[:, embedding.dimensions.index("income")]
    missing = np.isnan(prepared.holdout.rows.numbers[:, 0])
    assert missing.any() and len(set(incomes[missing])) == 1


def test_a_share_of_variance_decides_the_dimensions(prepared: PreparedRows) -> None:
    half, most = (
        fit_embedding(prepared.contract, Embedding(variance=share), prepared.training.rows, 0)
        for share in (0.5, 0.95)
    )
    assert len(half.dimensions) < len(most.dimensions)
    assert half.kept_variance >= 0.5 and most.kept_variance >= 0.95


def test_more_components_than_columns_are_as_many_as_there_are(prepared: PreparedRows) -> None:
    embedding = fit_embedding(prepared.contract, Embedding(components=500), prepared.training.rows, 0)
    assert len(embedding.dimensions) == embedding.encoded_columns == 12


@pytest.mark.parametrize("kept", [["income", "age"], ["plan"]])
def test_an_empty_block_has_no_input(kept: list[str]) -> None:
    contract, rows = of_frame(visits(200)[[*kept, "visited"]])
    embedding = fit_embedding(contract, Embedding(components=2), rows, 0)
    assert [item.name for item in embedding.graph.graph.input] == [
        "numbers" if kept != ["plan"] else "categories"
    ]
    assert embedding.vectors(rows).shape == (200, 2)


def test_a_category_never_seen_is_no_error() -> None:
    contract, rows = of_frame(visits(200)[["plan", "age", "visited"]])
    embedding = fit_embedding(contract, Embedding(kind="columns"), rows, 0)
    unseen = RowChecker(contract).check([{"plan": "gold", "age": 40}])
    assert embedding.vectors(unseen).tolist() == [[40, 0, 0, 0]]


def test_large_values_close_together_stay_apart_in_the_graph() -> None:
    """At 4,000,000 a 32-bit float steps by a quarter: the mean must be a number that the graph can hold."""
    frame = visits(300)[["visited"]].assign(code=4_000_000 + np.random.default_rng(0).integers(0, 30, 300))
    contract, rows = of_frame(frame)
    embedding = fit_embedding(contract, Embedding(components=1), rows, 0)
    expected = embedding.pipeline.transform(block_frame(contract, rows))
    assert np.abs(embedding.vectors(rows) - expected).max() < 1e-4


def test_rows_that_are_all_alike_are_refused() -> None:
    contract, rows = of_frame(visits(50)[["constant", "empty", "visited"]])
    with pytest.raises(NotTrainable, match="alike"):
        fit_embedding(contract, Embedding(components=1), rows, 0)
