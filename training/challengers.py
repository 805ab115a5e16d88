"""The challengers of a run, each fitted by its recipe; the same recipe and rows give the same bytes."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from loop.evaluation import score
from loop.progress import Progress
from loop.refusals import BrokenPackage, NotTrainable
from training.candidates import probabilities
from training.embedding import embedding_of, fit_embedding
from training.fine_tuning import Ancestor, fine_tuned, fine_tuned_pipeline
from training.fitted import StoredPipeline
from training.gathering import RESERVED
from training.graph import open_graph
from training.labelled import LabelledRows
from training.material import Material
from training.opened import OpenedVersion
from training.pipeline import FittedPipeline, check_agreement, fit_whole, scaled
from training.preparation import under
from training.recipe import KINDS, Kind, Recipe
from training.recipes import Recipes, learned_rows, row_weights
from training.selection import CandidateResult, Comparison, compare, person_folds
from use_cases.contract import Contract


@dataclass(frozen=True, slots=True)
class Challenger:
    """A fitted model that is to be judged, and what is needed to package it."""

    recipe: Recipe
    contract: Contract
    pipeline: FittedPipeline
    training: LabelledRows
    """What it learned from, under its contract."""
    training_frame: pd.DataFrame
    """The same rows, raw."""
    holdout: LabelledRows
    """All holdout rows, under its contract."""
    holdout_places: np.ndarray
    """int (holdout rows,): where each is in the snapshot."""
    weights: np.ndarray | None
    ancestor: Ancestor | None
    comparison: Comparison | None
    seconds: float

    @property
    def kind(self) -> Kind:
        return self.recipe.kind

    def as_version(self, material: Material, tag: str) -> OpenedVersion:
        """As if it had been built and opened under that tag; `material` is what it was fitted on."""
        fitted = self.pipeline
        stored = StoredPipeline(fitted.embedding.pipeline, fitted.scaler, fitted.model, fitted.classes)
        return OpenedVersion(
            tag=tag,
            contract=self.contract,
            graph=open_graph(fitted.graph),
            holdout=material.use_case.holdout,
            recipe=self.recipe,
            horizon=material.ages.horizon(),
            read_pipeline=lambda: stored,
        )


def fit_challengers(
    material: Material,
    champion: OpenedVersion | None,
    *,
    has_champion: bool,
    is_thorough: bool,
    progress: Progress,
    only: Kind | None = None,
) -> tuple[tuple[Challenger, ...], tuple[str, ...]]:
    """The challengers that could be fitted, and a sentence for each that could not.

    Without a champion (`has_champion` false) the fresh one alone; with `only`, that one. Raises NotTrainable
    or BrokenPackage where none could, UseCaseMistake for settings that a model refuses.
    """
    recipes = Recipes(material, champion, is_thorough, progress)
    fitted: list[Challenger] = []
    refusals: list[tuple[Kind, NotTrainable | BrokenPackage]] = []
    kinds = recipes.kinds(has_champion)
    if only is not None and only not in kinds:
        raise NotTrainable(
            f"a {only} challenger is made against a champion, and nothing is in Production: train a fresh one"
        )
    for kind in kinds if only is None else (only,):
        try:
            began = time.perf_counter()
            plan = recipes.of(kind)
            ancestor = champion.as_ancestor() if champion and kind == "fine_tuned" else None
            progress.stage(f"fitting {kind}: {plan.recipe.candidate}, {KINDS[kind]}")
            fitted.append(follow(plan.recipe, material, ancestor, plan.comparison, began))
        except (NotTrainable, BrokenPackage) as refusal:
            refusals.append((kind, refusal))
    if not fitted and len(refusals) == 1:
        raise refusals[0][1]
    notes = tuple(f"no {kind} challenger: {refusal}" for kind, refusal in refusals)
    if not fitted:
        raise NotTrainable("; ".join(notes)) from refusals[0][1]
    return tuple(fitted), notes


def follow(
    recipe: Recipe,
    material: Material,
    ancestor: Ancestor | None,
    comparison: Comparison | None = None,
    began: float | None = None,
) -> Challenger:
    """What a recipe gives on these rows; `ancestor` is what it fine-tunes.

    Raises NotTrainable, BrokenPackage where graph and pipeline disagree, UseCaseMistake.
    """
    began = time.perf_counter() if began is None else began
    prepared = material.prepared
    use_case = material.use_case.model_copy(update={"seed": recipe.seed})
    places = learned_rows(material, recipe)
    contract, weights = prepared.contract, row_weights(material, recipe)
    raw = material.rows.drop(columns=list(RESERVED), errors="ignore")
    training, holdout = prepared.training.take(places), prepared.holdout
    held = prepared.holdout_places
    in_frame = prepared.training_places[places]
    if recipe.kind == "fine_tuned":
        if ancestor is None:
            raise NotTrainable(f"{recipe.ancestor}, which it was fine-tuned from, is not there")
        contract = ancestor.contract
        training, in_frame = under(contract, raw, in_frame, material.identities[in_frame])
        holdout, held = under(contract, raw, held, material.identities[held])
    # The reference sample needs answers by models that had not seen the row: refused now, not when built.
    person_folds(training, recipe.seed)
    if ancestor is not None and recipe.kind == "fine_tuned":
        vectors = _vectors(ancestor, training)
        pipeline = fine_tuned_pipeline(ancestor, vectors, training.labels)
    else:
        embedding = fit_embedding(contract, use_case.embedding, training.rows, recipe.seed)
        vectors = embedding.vectors(training.rows)
        settings = recipe.settings
        pipeline = fit_whole(
            use_case, recipe.candidate, embedding, vectors, training.labels, weights, settings
        )
    check_agreement(pipeline, contract, holdout.rows)
    return Challenger(
        recipe=recipe,
        contract=contract,
        pipeline=pipeline,
        training=training,
        training_frame=raw.iloc[in_frame].reset_index(drop=True),
        holdout=holdout,
        holdout_places=held,
        weights=weights,
        ancestor=ancestor if recipe.kind == "fine_tuned" else None,
        comparison=comparison,
        seconds=time.perf_counter() - began,
    )


def cross_validated(material: Material, challenger: Challenger, progress: Progress) -> Comparison:
    """The challenger's own candidate on folds of its rows, and its answers to rows it had not seen.

    The comparison by which its candidate was chosen, where there was one. A fine-tuned model is taught
    each fold's rows anew, from the ancestor on.
    """
    if challenger.comparison is not None:
        return challenger.comparison
    recipe = challenger.recipe
    if challenger.ancestor is None:
        return compare(
            material.use_case,
            challenger.contract,
            challenger.training,
            progress,
            candidates={recipe.candidate: recipe.settings},
            weights=challenger.weights,
        )
    return _taught_by_folds(material, challenger, challenger.ancestor, progress)


def _taught_by_folds(
    material: Material, challenger: Challenger, ancestor: Ancestor, progress: Progress
) -> Comparison:
    began = time.perf_counter()
    use_case, contract = material.use_case, challenger.contract
    training, recipe = challenger.training, challenger.recipe
    folds = person_folds(training, recipe.seed)
    progress.stage(f"teaching {recipe.candidate} on {len(folds)} folds", len(folds))
    vectors = _vectors(ancestor, training)
    answers = np.zeros((len(training), len(contract.classes)))
    scores = []
    for fit_on, outside in folds:
        model = fine_tuned(ancestor, vectors[fit_on], training.labels[fit_on])
        inputs = scaled(ancestor.stored.scaler, vectors[outside])
        answers[outside] = probabilities(model, inputs, contract.classes)
        labels = training.labels[outside].tolist()
        scores.append(score(use_case.metric, labels, answers[outside], contract.classes, contract.positive))
        progress.advance()
    result = CandidateResult(
        name=recipe.candidate,
        settings=dict(recipe.settings),
        mean=float(np.mean(scores)),
        spread=float(np.std(scores)),
        folds=tuple(scores),
        seconds=time.perf_counter() - began,
        notes=(),
    )
    return Comparison(use_case.metric, (result,), answers)


def _vectors(ancestor: Ancestor, rows: LabelledRows) -> np.ndarray:
    return embedding_of(ancestor.contract, ancestor.stored.embedding).vectors(rows.rows)
