"""From a use case to a Bento in the store; knows no database."""

from __future__ import annotations

import datetime
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loop.evaluation import Evaluation, evaluate
from runner.package import PackageInfo
from training.build import ROOT, Order, build_bento
from training.embedding import fit_embedding
from training.graph import run_graph
from training.model_card import CardFacts, model_card, notes_of
from training.package import Contents, write_package
from training.pipeline import check_agreement, fit_whole
from training.preparation import prepare
from training.progress import Progress
from training.record import code_revision
from training.scores import scores_dict
from training.selection import CandidateResult, Comparison, compare, cost_of_embedding
from training.snapshot import keep_snapshot, storable
from use_cases.source import load_rows
from use_cases.use_case import UseCase


@dataclass(frozen=True, slots=True)
class Made:
    """A Bento in the store, and what was learned on the way."""

    bento: str
    info: PackageInfo
    as_of: str | None
    comparison: Comparison
    without_pca: CandidateResult | None
    evaluation: Evaluation
    rows: dict[str, int]
    """training, holdout, set aside, and rows that never came so far by their reason."""


def make(
    use_case: UseCase,
    *,
    home: Path,
    data: Path,
    as_of: datetime.date | None,
    run_id: str,
    parent: str | None,
    created: datetime.datetime,
    progress: Progress,
) -> Made:
    """Snapshot, comparison, refit, scores, package and Bento. `created` (UTC) names the version.

    Raises what reading rows, preparing, fitting and building raise; then no Bento is in the store.
    """
    progress.stage("reading rows")
    loaded = load_rows(use_case, data, as_of)
    left_out: dict[str, int] = dict(loaded.attrs.get("dropped", {}))
    rows = storable(loaded)
    digest, _ = keep_snapshot(rows, home / "snapshots")
    prepared = prepare(use_case, rows)
    contract, training, holdout = prepared.contract, prepared.training, prepared.holdout
    left_out["break the contract"] = prepared.set_aside

    comparison = compare(use_case, contract, training, progress)
    without_pca = cost_of_embedding(use_case, contract, training, comparison.best.name, progress)

    progress.stage(f"fitting {comparison.best.name} on all {len(training):,} training rows")
    embedding = fit_embedding(contract, use_case.embedding, training.rows, use_case.seed)
    fitted = fit_whole(
        use_case, comparison.best.name, embedding, embedding.vectors(training.rows), training.labels
    )
    check_agreement(fitted, contract, holdout.rows)

    progress.stage("scoring on the holdout")
    blocks = (holdout.rows.numbers, holdout.rows.categories)
    (answers,) = run_graph(fitted.graph, *blocks, ("probabilities",))
    evaluation = evaluate(
        holdout.labels.tolist(),
        np.asarray(answers),
        contract.classes,
        contract.positive,
        identities=holdout.identities.tolist(),
        seed=use_case.seed,
    )

    progress.stage("building the Bento")
    version = f"{created:%Y%m%d-%H%M%S}-{run_id[-8:]}"
    tag = f"{use_case.name}:{version}"
    scores = scores_dict(evaluation)
    info = PackageInfo(
        use_case=use_case.name,
        version=version,
        model=tag,
        bento=tag,
        created_at=created.isoformat(),
        run_id=run_id,
        data_digest=digest,
        code_revision=code_revision(ROOT),
        candidate=comparison.best.name,
        metric=use_case.metric,
        seed=use_case.seed,
        holdout=use_case.holdout,
        k=use_case.policy.feedbacks_per_training,
        dimensions=list(embedding.dimensions),
        parent=parent,
        scores=scores,
    )
    as_of_text = None if as_of is None else as_of.isoformat()
    card = model_card(
        CardFacts(
            use_case=use_case,
            contract=contract,
            info=info,
            embedding=embedding,
            comparison=comparison,
            without_pca=without_pca,
            evaluation=evaluation,
            training_rows=len(training),
            left_out=left_out,
            as_of=as_of_text,
            notes=notes_of(comparison, fitted.notes),
        )
    )
    contents = Contents(
        info, contract, fitted, holdout, prepared.training_frame, comparison.out_of_fold, card
    )
    with tempfile.TemporaryDirectory() as folder:
        package, pipeline = Path(folder) / "package", Path(folder) / "pipeline"
        write_package(contents, package, pipeline)
        labels = {
            name: f"{score['value']:.4f}" for name, score in scores.items() if score["value"] is not None
        }
        labels |= {"data_digest": digest, "parent": parent or "none", "candidate": info.candidate}
        bento = build_bento(
            Order(name=use_case.name, version=version, package=package, pipeline=pipeline, labels=labels),
            home,
        )
    return Made(
        bento=bento,
        info=info,
        as_of=as_of_text,
        comparison=comparison,
        without_pca=without_pca,
        evaluation=evaluation,
        rows={"training": len(training), "holdout": len(holdout), **left_out},
    )
