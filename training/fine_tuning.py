"""A champion's model taught the rows it had not seen; embedding, scaler and contract stay the champion's."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import SGDClassifier

from loop.refusals import NotTrainable
from training.candidates import fit_candidate
from training.embedding import embedding_of
from training.fitted import StoredPipeline
from training.pipeline import FittedPipeline, scaled, spare_cores, whole
from use_cases.contract import Contract

PASSES = 1
"""Times that SGD goes over the new rows. On streamflow fifty gain .005 and lose .06 of the month before."""

MOST_GENERATIONS = 4
"""A forest grows by its own size each time, and its graph with it: at four times its size it stops."""


@dataclass(frozen=True, slots=True)
class Ancestor:
    """What is taught: a version as it was fitted."""

    candidate: str
    settings: Mapping[str, Any]
    contract: Contract
    stored: StoredPipeline


def fine_tuned(ancestor: Ancestor, vectors: np.ndarray, labels: np.ndarray) -> BaseEstimator:
    """A copy of the ancestor's model that has learned from these vectors (rows, dimensions), too.

    The same rows in the same order give the same model. Raises NotTrainable for a model that cannot learn
    on, for a forest that has grown enough, and for rows that it cannot learn from.
    """
    model = copy.deepcopy(ancestor.stored.model)
    inside = scaled(ancestor.stored.scaler, vectors)
    _refuse(ancestor, model, labels)
    if isinstance(model, SGDClassifier):
        for _ in range(PASSES):
            model.partial_fit(inside, labels)
        return model
    grown = len(model.estimators_) + _generation(ancestor, model)
    model.set_params(warm_start=True, n_estimators=grown)
    fit_candidate(ancestor.candidate, model, inside, labels, threads=spare_cores())
    model.set_params(warm_start=False)
    return model


def fine_tuned_pipeline(ancestor: Ancestor, vectors: np.ndarray, labels: np.ndarray) -> FittedPipeline:
    """The ancestor's pipeline with its model fine-tuned, and the graph of both."""
    model = fine_tuned(ancestor, vectors, labels)
    embedding = embedding_of(ancestor.contract, ancestor.stored.embedding)
    return whole(ancestor.candidate, embedding, ancestor.stored.scaler, model, ())


def _generation(ancestor: Ancestor, model: RandomForestClassifier) -> int:
    return int(ancestor.settings.get("n_estimators", model.get_params()["n_estimators"]))


def _refuse(ancestor: Ancestor, model: BaseEstimator, labels: np.ndarray) -> None:
    if not isinstance(model, (SGDClassifier, RandomForestClassifier)):
        raise NotTrainable(
            f"the champion's {ancestor.candidate} cannot learn on from where it is; only sgd and "
            "random_forest can"
        )
    settings = model.get_params()
    if settings["class_weight"] is not None:
        raise NotTrainable(
            f"the champion's {ancestor.candidate} weighs classes by class_weight, which the new rows alone "
            "cannot tell"
        )
    if isinstance(model, SGDClassifier) and (settings["early_stopping"] or settings["average"]):
        raise NotTrainable("the champion's sgd stops early or averages, and so cannot learn on")
    if isinstance(model, RandomForestClassifier):
        if len(model.estimators_) >= MOST_GENERATIONS * _generation(ancestor, model):
            raise NotTrainable(
                f"the champion's forest has grown to {len(model.estimators_)} trees, "
                f"{MOST_GENERATIONS} times its size; it grows no more"
            )
        lacking = sorted(set(ancestor.contract.classes) - set(labels.tolist()))
        if lacking:
            raise NotTrainable(
                f"the rows that the champion has not seen have none of {', '.join(lacking)}, and trees that "
                "do not know a class cannot join its forest"
            )
