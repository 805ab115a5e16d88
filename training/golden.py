"""Golden rows and the reference sample: what a Bento carries of its data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from loop.refusals import UseCaseMistake
from runner.graph import Answers, Graph
from runner.package import GoldenRows
from runner.rows import RowChecker
from training.labelled import LabelledRows
from use_cases.contract import MISSING_CATEGORY, Contract

GOLDEN_ROWS = 20
REFERENCE_ROWS = 5_000
PREDICTION = "prediction"
PROBABILITY = "probability_"
"""Before a class's name, in the reference sample's columns."""


def golden_rows(contract: Contract, graph: Path, holdout: LabelledRows) -> GoldenRows:
    """About 20 holdout rows that differ, without id and time, and the graph's answers to them.

    Rows with a missing value for each column that may have one, then rows from sure to unsure for each
    predicted class in turn. Ids stay out: a Bento travels further than its data.
    """
    opened = Graph.open(graph)
    answers = opened.answer(holdout.rows.numbers, holdout.rows.categories)
    places = _varied(holdout, answers)
    features = [column.name for column in contract.columns]
    rows = [{name: holdout.rows.rows[i].get(name) for name in features} for i in places]
    checked = RowChecker(contract).check(rows)
    expected = opened.answer(checked.numbers, checked.categories)
    return GoldenRows(
        rows=rows,
        vectors=expected.vectors.tolist(),
        labels=expected.labels,
        probabilities=expected.probabilities.tolist(),
    )


def refuse_reserved_columns(contract: Contract) -> None:
    """Raises UseCaseMistake where a column bears a name that the reference sample gives its own columns."""
    reserved = {PREDICTION, *(PROBABILITY + name for name in contract.classes)}
    clash = [column.name for column in contract.columns if column.name in reserved]
    if clash or contract.target == PREDICTION:
        names = ", ".join([*clash, *([contract.target] if contract.target == PREDICTION else [])])
        raise UseCaseMistake(
            f"{names}: Rebento gives this name to what it predicts. Rename the column in the data, or put it "
            "under ignore; a column of predictions is seldom known when the question is asked."
        )


def reference_sample(
    contract: Contract, frame: pd.DataFrame, out_of_fold: np.ndarray, seed: int
) -> pd.DataFrame:
    """At most 5,000 training rows: raw feature columns, the target, out-of-fold prediction, probabilities.

    `out_of_fold` (rows, classes) goes with the frame's rows. A model's answers on its own training rows are
    no reference, so these come from models that had not seen the row.
    """
    rows = len(frame)
    places = np.arange(rows)
    if rows > REFERENCE_ROWS:
        places = np.sort(np.random.default_rng(seed).choice(rows, REFERENCE_ROWS, replace=False))
    features = [column.name for column in contract.columns]
    sample = frame.iloc[places][[*features, contract.target]].reset_index(drop=True)
    answers = out_of_fold[places]
    classes = np.array(contract.classes, dtype=object)
    more = {PREDICTION: classes[answers.argmax(axis=1)]}
    more |= {PROBABILITY + name: answers[:, place] for place, name in enumerate(contract.classes)}
    return pd.concat([sample, pd.DataFrame(more)], axis=1)


def _varied(holdout: LabelledRows, answers: Answers) -> list[int]:
    chosen: dict[int, None] = {}
    gaps = [*np.isnan(holdout.rows.numbers).T, *(holdout.rows.categories == MISSING_CATEGORY).T]
    for gap in gaps:
        if gap.any() and len(chosen) < GOLDEN_ROWS // 2:
            chosen[int(np.argmax(gap))] = None
    labels = np.array(answers.labels)
    sureness = answers.probabilities.max(axis=1)
    by_class = []
    for name in sorted(set(answers.labels)):
        places = np.flatnonzero(labels == name)
        ordered = places[np.argsort(sureness[places], kind="stable")]
        by_class.append(ordered[np.linspace(0, len(ordered) - 1, GOLDEN_ROWS).astype(int)].tolist())
    for in_turn in zip(*by_class, strict=True):
        for place in in_turn:
            if len(chosen) < GOLDEN_ROWS:
                chosen[place] = None
    return list(chosen)
