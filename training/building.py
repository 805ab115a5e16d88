"""A fitted challenger as a Bento in the store."""

from __future__ import annotations

import datetime
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loop.evaluation import Evaluation, evaluate
from loop.progress import Progress
from runner.package import PackageInfo
from training.build import ROOT, Order, build_bento
from training.challengers import Challenger, cross_validated
from training.graph import run_graph
from training.material import Material
from training.model_card import CardFacts, model_card, notes_of
from training.package import Contents, write_package
from training.record import code_revision
from training.scores import scores_dict
from training.selection import CandidateResult, Comparison, cost_of_embedding

LEAST_RECENT_ROWS = 100
"""With fewer recent rows a score says less of a version than all of the holdout does."""


@dataclass(frozen=True, slots=True)
class Birth:
    """What a Bento is told of where it comes from."""

    run_id: str
    parent: str | None
    """Tag of the champion at that time."""
    created: datetime.datetime
    """UTC; names the version."""
    data_digest: str
    as_of: str | None
    left_out: dict[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Built:
    """A Bento in the store, and what was learned while it was made."""

    bento: str
    info: PackageInfo
    comparison: Comparison
    without_pca: CandidateResult | None
    evaluation: Evaluation


def build(
    challenger: Challenger,
    material: Material,
    birth: Birth,
    recent: np.ndarray,
    *,
    home: Path,
    is_thorough: bool,
    progress: Progress,
) -> Built:
    """The Bento of a challenger. `recent` are the places of the rows it was judged on.

    Its scores are those on these rows where they are enough, for they are what it will be measured by;
    else those on the whole holdout. Raises BrokenPackage; then no Bento is in the store.
    """
    use_case, recipe = material.use_case, challenger.recipe
    comparison = cross_validated(material, challenger, progress)
    without_pca = None
    if is_thorough and recipe.kind == "fresh":
        training = challenger.training
        without_pca = cost_of_embedding(
            use_case, challenger.contract, training, comparison.best.name, progress
        )
    progress.stage("scoring on the holdout")
    evaluation = _evaluated(challenger, recent, use_case.seed)
    progress.stage("building the Bento")
    version = f"{birth.created:%Y%m%d-%H%M%S}-{birth.run_id[-8:]}"
    tag = f"{use_case.name}:{version}"
    scores = scores_dict(evaluation)
    info = PackageInfo(
        use_case=use_case.name,
        version=version,
        model=tag,
        bento=tag,
        created_at=birth.created.isoformat(),
        run_id=birth.run_id,
        data_digest=birth.data_digest,
        code_revision=code_revision(ROOT),
        candidate=recipe.candidate,
        metric=use_case.metric,
        seed=recipe.seed,
        holdout=use_case.holdout,
        k=use_case.policy.feedbacks_per_training,
        dimensions=list(challenger.pipeline.embedding.dimensions),
        parent=birth.parent,
        scores=scores,
        recipe=recipe.model_dump(mode="json"),
    )
    card = model_card(
        CardFacts(
            use_case=use_case,
            contract=challenger.contract,
            info=info,
            recipe=recipe,
            embedding=challenger.pipeline.embedding,
            comparison=comparison,
            without_pca=without_pca,
            evaluation=evaluation,
            training_rows=len(challenger.training),
            left_out=birth.left_out,
            as_of=birth.as_of,
            notes=(*notes_of(comparison, challenger.pipeline.notes), *birth.notes),
        )
    )
    contents = Contents(
        info,
        challenger.contract,
        challenger.pipeline,
        challenger.holdout,
        challenger.training_frame,
        comparison.out_of_fold,
        card,
    )
    with tempfile.TemporaryDirectory() as folder:
        package, pipeline = Path(folder) / "package", Path(folder) / "pipeline"
        write_package(contents, package, pipeline)
        labels = {
            name: f"{score['value']:.4f}" for name, score in scores.items() if score["value"] is not None
        }
        labels |= {"data_digest": birth.data_digest, "parent": birth.parent or "none"}
        labels |= {"candidate": info.candidate, "challenger": recipe.kind}
        bento = build_bento(
            Order(name=use_case.name, version=version, package=package, pipeline=pipeline, labels=labels),
            home,
        )
    return Built(bento, info, comparison, without_pca, evaluation)


def _evaluated(challenger: Challenger, recent: np.ndarray, seed: int) -> Evaluation:
    holdout = challenger.holdout
    judged = np.flatnonzero(np.isin(challenger.holdout_places, recent))
    if len(judged) >= LEAST_RECENT_ROWS and len(set(holdout.labels[judged].tolist())) > 1:
        holdout = holdout.take(judged)
    blocks = (holdout.rows.numbers, holdout.rows.categories)
    (answers,) = run_graph(challenger.pipeline.graph, *blocks, ("probabilities",))
    return evaluate(
        holdout.labels.tolist(),
        np.asarray(answers),
        challenger.contract.classes,
        challenger.contract.positive,
        identities=holdout.identities.tolist(),
        seed=seed,
    )
