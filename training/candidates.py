"""The candidate models: built from a use case's settings, what they refuse turned into sentences."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from threadpoolctl import threadpool_limits

from loop.refusals import UseCaseMistake

BASELINE = "random_forest"

_MODELS: dict[str, type[BaseEstimator]] = {
    "random_forest": RandomForestClassifier,
    "logistic_regression": LogisticRegression,
    "hist_gradient_boosting": HistGradientBoostingClassifier,
    "sgd": SGDClassifier,
}
_OURS = {
    "random_state": "the use case's seed decides it",
    "n_jobs": "training uses all cores as it is",
    "verbose": "training shows its own progress",
    "warm_start": "every run fits afresh",
    "categorical_features": "the embedding has encoded categories already",
}


def build_candidate(name: str, settings: Mapping[str, Any], seed: int) -> BaseEstimator:
    """The unfitted model. Raises UseCaseMistake that names every setting it does not have or may not have."""
    if name not in _MODELS:
        raise UseCaseMistake(f"candidates: no model {name!r}; there are {', '.join(_MODELS)}.")
    known = set(_MODELS[name]().get_params()) - set(_OURS)
    mistakes = [
        f"candidates.{name}.{key}: "
        + (f"leave it out, {_OURS[key]}" if key in _OURS else f"no setting of {_MODELS[name].__name__}")
        for key in settings
        if key not in known
    ]
    if mistakes:
        raise UseCaseMistake(f"{'; '.join(mistakes)}. It has {', '.join(sorted(known))}.")
    model = _MODELS[name](**settings)
    model.set_params(random_state=seed)
    if not hasattr(model, "predict_proba"):
        raise UseCaseMistake(
            f"candidates.{name}: {_MODELS[name].__name__} gives no probabilities with these settings; "
            "for sgd set loss: log_loss or loss: modified_huber."
        )
    return model


def build_scaler(kind: str) -> BaseEstimator | None:
    """The unfitted scaler: standard, minmax, or None for none."""
    return {"standard": StandardScaler, "minmax": MinMaxScaler, "none": lambda: None}[kind]()


def fit_candidate(
    name: str,
    model: BaseEstimator,
    vectors: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    threads: int,
) -> tuple[str, ...]:
    """Fits in place and answers what there was to complain of (no convergence), in sentences.

    `weights` (rows,) with mean 1; None: all rows weigh the same. The fitted model is the same with any
    number of threads. Raises UseCaseMistake where a setting has a value that the model refuses.
    """
    if isinstance(model, RandomForestClassifier):
        model.set_params(n_jobs=threads)
    try:
        with threadpool_limits(limits=threads, user_api="openmp"):
            model.fit(vectors, labels, sample_weight=weights)
    except ValueError as error:  # a wrong value, or two settings that do not go together
        raise UseCaseMistake(f"candidates.{name}: {' '.join(str(error).split())}") from error
    if isinstance(model, RandomForestClassifier):
        # Trees that answer in parallel are summed in the order they finish: the last bits would vary.
        model.set_params(n_jobs=None)
    most = model.get_params().get("max_iter")
    # Of boosting, max_iter is the number of trees wanted.
    iterates = isinstance(model, (LogisticRegression, SGDClassifier))
    if not iterates or np.max(model.n_iter_) < most:
        return ()
    return (f"{name} had not converged after {most} iterations; raise candidates.{name}.max_iter.",)


@contextmanager
def noting_convergence() -> Iterator[None]:
    """No warnings of what `fit_candidate` notes. Entered once around all threads: filters are global."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def probabilities(model: BaseEstimator, vectors: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """float64 (rows, classes) in the order of `classes`; 0 for a class the model never saw."""
    known = [classes.index(str(label)) for label in model.classes_]
    answers = np.zeros((len(vectors), len(classes)))
    answers[:, known] = model.predict_proba(vectors)
    return answers
