"""The model card: what a person must know of a Bento before relying on it, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loop.evaluation import LOWER_IS_BETTER, Evaluation
from runner.package import PackageInfo
from training.embedding import FittedEmbedding
from training.recipe import KINDS, Recipe
from training.selection import CandidateResult, Comparison
from use_cases.contract import Contract
from use_cases.use_case import UseCase

_WORDS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "log_loss": "log loss (lower is better)",
    "calibration_error": "calibration error (lower is better)",
}


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What the card tells of a run."""

    use_case: UseCase
    contract: Contract
    info: PackageInfo
    recipe: Recipe
    embedding: FittedEmbedding
    comparison: Comparison
    without_pca: CandidateResult | None
    evaluation: Evaluation
    training_rows: int
    left_out: dict[str, int]
    as_of: str | None
    notes: tuple[str, ...]


def model_card(facts: CardFacts) -> str:
    """The Markdown text."""
    sections = [
        f"# {facts.info.bento}\n",
        f"{facts.use_case.description or 'No description was given.'}\n",
        _use(facts),
        _data(facts),
        _scores(facts),
        _candidates(facts),
        _embedding(facts),
        _limits(facts),
    ]
    return "\n".join(sections)


def _use(facts: CardFacts) -> str:
    classes = ", ".join(f"`{name}`" for name in facts.contract.classes)
    positive = ", ".join(f"`{name}`" for name in facts.contract.positive)
    of_interest = f" Of interest: {positive}." if positive else ""
    return (
        "## Intended use\n\n"
        f"Predicts `{facts.contract.target}` ({classes}) of one row of the columns in `contract.json`."
        f"{of_interest} For rows of the kind it was trained on; it says how likely each class is and does "
        "not decide what follows from it. A person should look at single decisions that matter to somebody.\n"
    )


def _data(facts: CardFacts) -> str:
    left_out = "".join(
        f"| rows left out: {_cell(why)} | {count:,} |\n" for why, count in facts.left_out.items() if count
    )
    return (
        "## Data\n\n| | |\n| --- | --- |\n"
        f"| use case | {facts.use_case.name} |\n"
        f"| as known at | {facts.as_of or 'the day of training'} |\n"
        f"| digest of the snapshot | `{facts.info.data_digest}` |\n"
        f"| rows trained on | {facts.training_rows:,} |\n"
        f"| made as | {facts.recipe.kind}: {_made(facts.recipe)} |\n"
        f"| rows held out | {_held_out(facts)} |\n"
        f"{left_out}"
        f"| trained | {facts.info.created_at} (run `{facts.info.run_id}`, seed {facts.info.seed}) |\n"
        f"| code | `{facts.info.code_revision}` |\n"
        f"| in Production before | {facts.info.parent or 'nothing'} |\n"
    )


def _scores(facts: CardFacts) -> str:
    evaluation = facts.evaluation
    lines = [f"| {_WORDS[name]} | {score} |" for name, score in evaluation.scores.items()]
    two = len(facts.contract.classes) == 2
    averaged = f"of `{facts.contract.positive[0]}`" if two else "means over the classes"
    names = [_cell(name) for name in evaluation.classes]
    matrix = [
        f"| **{name}** | " + " | ".join(f"{count:,}" for count in row) + " |"
        for name, row in zip(names, evaluation.confusion, strict=True)
    ]
    return "\n".join(
        [
            "## Scores on the holdout\n",
            f"No version trains on these rows. Precision, recall and F1 are {averaged}. In brackets 95 % "
            f"bootstrap intervals, resampled by {_unit(facts)}.\n",
            "| | |",
            "| --- | --- |",
            *lines,
            "",
            "True classes down, predicted classes across:\n",
            "| | " + " | ".join(names) + " |",
            "| --- |" + " ---: |" * len(names),
            *matrix,
            "",
        ]
    )


def _candidates(facts: CardFacts) -> str:
    comparison = facts.comparison
    order = "lower" if comparison.metric in LOWER_IS_BETTER else "higher"
    lines = [
        f"| {result.name} | {result.mean:.3f} ± {result.spread:.3f} | {result.seconds:.1f} s | "
        f"{_cell(', '.join(f'{key}={value}' for key, value in result.settings.items()))} |"
        for result in comparison.results
    ]
    return "\n".join(
        [
            "## Candidates\n",
            f"Chosen by {comparison.metric} ({order} is better): mean and standard deviation over "
            f"{len(comparison.best.folds)} folds of the training rows, no {_unit(facts)} on both sides.\n",
            f"| candidate | {comparison.metric} | time | settings |",
            "| --- | --- | --- | --- |",
            *lines,
            "",
        ]
    )


def _embedding(facts: CardFacts) -> str:
    embedding, best = facts.embedding, facts.comparison.best
    dimensions = len(embedding.dimensions)
    if facts.use_case.embedding.kind == "columns":
        text = f"{dimensions} encoded columns as they are; nothing is lost."
    else:
        text = (
            f"PCA keeps {embedding.kept_variance:.0%} of the variance of {embedding.encoded_columns} encoded "
            f"columns in {dimensions} dimensions."
        )
    if facts.without_pca is not None:
        text += (
            f" What it costs: {best.name} has a cross-validated "
            f"{facts.comparison.metric} of {best.mean:.3f} on them and {facts.without_pca.mean:.3f} on the "
            "columns as they are (`embedding: {kind: columns}`)."
        )
    return f"## Embedding\n\n{text} Then the scaler: {facts.use_case.scaler}.\n"


def _limits(facts: CardFacts) -> str:
    fewest = min(zip((sum(row) for row in facts.evaluation.confusion), facts.evaluation.classes, strict=True))
    limits = [
        "Scores hold for rows like the holdout, and not where the world changes: watch drift and feedback.",
        f"The rarest class held out is `{fewest[1]}` with {fewest[0]:,} rows: least is known of it.",
        "Numbers outside the range in `contract.json` and unseen categories are answered with a warning.",
        "Nothing here was checked for fairness between groups of people.",
        *facts.notes,
    ]
    return "## Limits\n\n" + "\n".join(f"- {limit}" for limit in limits) + "\n"


def _made(recipe: Recipe) -> str:
    """The recipe in words."""
    more = {
        "recent": f", at most {recipe.window_rows or 0:,}",
        "weighted": f", half after {recipe.half_life_rows or 0:,} rows",
        "fine_tuned": f"; it was `{recipe.ancestor}`",
    }
    return KINDS[recipe.kind] + more.get(recipe.kind, "")


def _unit(facts: CardFacts) -> str:
    """What one identity is called."""
    return "row" if facts.contract.id_column is None else f"`{facts.contract.id_column}`"


def _held_out(facts: CardFacts) -> str:
    evaluation = facts.evaluation
    return f"{evaluation.rows:,} ({evaluation.identities:,} different by {_unit(facts)})"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def notes_of(comparison: Comparison, more: Sequence[str]) -> tuple[str, ...]:
    """What there was to complain of, each once."""
    return tuple(dict.fromkeys([*(note for one in comparison.results for note in one.notes), *more]))
