"""The rows of a use case, split by the stable holdout, under a contract that the training part shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from loop.refusals import NotTrainable, Problem
from runner.rows import RowChecker
from training.gathering import RESERVED, prediction_ids
from training.golden import refuse_reserved_columns
from training.labelled import LabelledRows
from use_cases.contract import Contract
from use_cases.derive import derive_contract, frame_rows
from use_cases.identity import holdout_mask, identities
from use_cases.use_case import UseCase

MOST_SET_ASIDE = 0.05
"""Share of rows that may break the contract. More than that is a fault of the data, not of a few rows."""


@dataclass(frozen=True, slots=True)
class PreparedRows:
    """What a run learns from and is scored on."""

    contract: Contract
    training: LabelledRows
    training_frame: pd.DataFrame
    """The raw training rows, in the order of `training`."""
    holdout: LabelledRows
    set_aside: int
    """Rows that break the contract, of both parts."""
    training_places: np.ndarray
    """int (training rows,): where each is among the rows given."""
    holdout_places: np.ndarray


def prepare(use_case: UseCase, rows: pd.DataFrame) -> PreparedRows:
    """The rows (of `training.gathering.gather`, or reference rows alone) in their two parts.

    The holdout has no say in the contract. Raises NotTrainable where one part has too few rows or classes,
    or where more than 5 % of the rows break the contract.
    """
    predictions = prediction_ids(rows)
    rows = rows.drop(columns=list(RESERVED), errors="ignore").reset_index(drop=True)
    everything = derive_contract(use_case, rows)
    whose = np.array(identities(frame_rows(everything, rows), use_case.id, predictions), dtype=object)
    held_out = holdout_mask(whose.tolist(), use_case.holdout, use_case.name)
    labels = rows[use_case.target].astype(str).to_numpy(dtype=object)
    _refuse_thin_parts(use_case, labels[~held_out], labels[held_out], everything.classes)
    contract = derive_contract(use_case, rows[~held_out].reset_index(drop=True))
    refuse_reserved_columns(contract)
    checker = RowChecker(contract)
    sent = frame_rows(contract, rows)
    parts = []
    problems: list[Problem] = []
    for mask in (~held_out, held_out):
        places = np.flatnonzero(mask)
        checked, kept, wrong = checker.check_each([sent[i] for i in places])
        problems += [Problem(int(places[p.row or 0]), p.column, p.problem) for p in wrong]
        places = places[kept]
        parts.append((LabelledRows(checked, labels[places].astype(str), whose[places].astype(str)), places))
    broken = {problem.row for problem in problems}
    if len(broken) > MOST_SET_ASIDE * len(rows):
        raise NotTrainable(_complaint(use_case, len(broken), len(rows), problems))
    (training, places), (holdout, judged_places) = parts
    _refuse_thin_parts(use_case, training.labels, holdout.labels, contract.classes)
    frame = rows.iloc[places].reset_index(drop=True)
    return PreparedRows(contract, training, frame, holdout, len(broken), places, judged_places)


def under(
    contract: Contract, rows: pd.DataFrame, places: np.ndarray, whose: np.ndarray
) -> tuple[LabelledRows, np.ndarray]:
    """The rows at these places under another contract than their own, and the places that it accepts.

    `whose` (places,) are their identities. A row of a class that the contract lacks is not accepted.
    """
    frame = rows.iloc[places]
    labels = frame[contract.target].astype(str).to_numpy(dtype=object)
    known = np.flatnonzero(np.isin(labels.astype(str), contract.classes))
    sent = frame_rows(contract, frame.iloc[known])
    checked, kept, _ = RowChecker(contract).check_each(sent)
    kept_of = known[np.array(kept, dtype=int)]
    return LabelledRows(checked, labels[kept_of].astype(str), whose[kept_of].astype(str)), places[kept_of]


def _refuse_thin_parts(
    use_case: UseCase, trained: np.ndarray, judged: np.ndarray, classes: Sequence[str]
) -> None:
    lacking = sorted(set(classes) - set(trained.tolist()))
    if lacking:
        raise NotTrainable(
            f"{use_case.name} has too few rows of {', '.join(lacking)}: none is in the training part. "
            "Add rows of it, or list the other labels under classes."
        )
    kinds = len(set(judged.tolist()))
    if kinds < 2:
        raise NotTrainable(
            f"The holdout of {use_case.name} has {len(judged)} rows of {kinds} "
            f"class{'' if kinds == 1 else 'es'}, too few to score anything on: add rows, or raise "
            f"holdout (now {use_case.holdout:g})."
        )


def _complaint(use_case: UseCase, broken: int, rows: int, problems: Sequence[Problem]) -> str:
    columns: dict[str | None, list[Problem]] = {}
    for problem in problems:
        columns.setdefault(problem.column, []).append(problem)
    commonest = sorted(columns.items(), key=lambda item: -len(item[1]))[:3]
    said = "; ".join(f"{name} in {len(found)} rows ({_first(found)})" for name, found in commonest)
    return (
        f"{broken} of the {rows} rows of {use_case.name} break the contract that the training part shows, "
        f"more than {MOST_SET_ASIDE:.0%}: {said}. Correct them, or put the column under ignore or kinds."
    )


def _first(found: Sequence[Problem]) -> str:
    return f"row {found[0].row} {found[0].problem}"
