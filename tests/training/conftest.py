"""Small real rows with every kind of column, and the parts that training makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from training.embedding import FittedEmbedding, fit_embedding
from training.pipeline import FittedPipeline, fit_whole
from training.preparation import PreparedRows, prepare
from training.snapshot import storable
from use_cases.use_case import UseCase

QUICK: dict[str, dict[str, Any]] = {
    "random_forest": {"n_estimators": 10, "min_samples_leaf": 5},
    "logistic_regression": {},
    "hist_gradient_boosting": {"max_iter": 10},
    "sgd": {},
}


def visits(rows: int = 600, seed: int = 0) -> pd.DataFrame:
    """Rows of persons with up to three visits each; income and plan decide about the answer."""
    generator = np.random.default_rng(seed)
    income = generator.normal(50, 15, rows).round(1)
    plan = generator.choice(["free", "half", "full"], rows).astype(object)
    logit = (income - 50) / 10 + np.where(plan == "free", 1.0, -0.5)
    answers = generator.random(rows) < 1 / (1 + np.exp(-logit))
    income[generator.random(rows) < 0.1] = np.nan
    site = generator.choice(["North", "South"], rows).astype(object)
    site[generator.random(rows) < 0.1] = None
    return pd.DataFrame(
        {
            "person": [f"p{i // 3}" for i in range(rows)],
            "income": income,
            "age": generator.integers(18, 90, rows),
            "member": generator.random(rows) < 0.5,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(generator.integers(0, 900, rows), "D"),
            "plan": plan,
            "site": site,
            "empty": np.nan,
            "constant": 1.0,
            "visited": np.where(answers, "yes", "no").astype(object),
        }
    )


def use_case_of(**changes: Any) -> UseCase:
    values: dict[str, Any] = {
        "name": "visits",
        "source": {"parquet": "visits.parquet"},
        "target": "visited",
        "positive": "yes",
        "id": "person",
        "candidates": QUICK,
        "embedding": {"kind": "pca", "components": 5},
    }
    return UseCase.model_validate({**values, **changes})


Fit = Callable[..., tuple[PreparedRows, FittedEmbedding, FittedPipeline]]


@pytest.fixture(scope="session")
def prepared() -> PreparedRows:
    return prepare(use_case_of(), storable(visits()))


@pytest.fixture(scope="session")
def fit(prepared: PreparedRows) -> Fit:
    """A whole pipeline of one candidate, fitted on the prepared training rows."""

    def fitted(
        candidate: str = "random_forest", **changes: Any
    ) -> tuple[PreparedRows, FittedEmbedding, FittedPipeline]:
        use_case = use_case_of(**changes)
        embedding = fit_embedding(
            prepared.contract, use_case.embedding, prepared.training.rows, use_case.seed
        )
        vectors = embedding.vectors(prepared.training.rows)
        whole = fit_whole(use_case, candidate, embedding, vectors, prepared.training.labels)
        return prepared, embedding, whole

    return fitted
