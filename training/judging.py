"""Champion and challengers on the rows that none has trained on, handed to `loop.judge`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from loop.judge import Contender, Paired, Rules, Verdict, judge
from runner.graph import Graph
from runner.rows import RowChecker
from training.ages import Ages
from training.challengers import Challenger
from training.graph import open_graph
from training.material import Material
from training.opened import OpenedVersion
from use_cases.contract import Contract
from use_cases.derive import frame_rows
from use_cases.identity import holdout_mask

OLDER_ROWS = 5_000
"""At most so many older holdout rows guard a promotion: enough for any margin worth setting."""


@dataclass(frozen=True, slots=True)
class JudgedRows:
    """Places in the snapshot of the rows on which challengers are compared."""

    recent: np.ndarray
    older: np.ndarray


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the judge said, and on which rows."""

    verdicts: tuple[Verdict, ...]
    """Best first."""
    recent: np.ndarray
    """Places of the recent rows that the champion could answer."""
    refused: int
    """Judged rows that break a contract of one side, and so decide nothing."""


@dataclass(frozen=True, slots=True)
class _Answers:
    """One model's answers to all judged rows."""

    is_answered: np.ndarray
    """bool (rows,): rows that keep its contract."""
    probabilities: np.ndarray
    """(rows, classes); zeros where unanswered."""


def judged_rows(material: Material, champion: OpenedVersion) -> JudgedRows:
    """The newest labelled production holdout rows, and those before them.

    Where nothing came through the service: the reference holdout rows that are newer than all that the
    champion knew, and where no row is dated, all of the reference holdout.
    """
    policy, ages = material.use_case.policy, material.ages
    held = np.flatnonzero(_held_from_both(material, champion))
    none = np.zeros(0, dtype=int)
    if ages.is_production.any():
        answered = held[ages.is_production[held]]
        recent = ages.newest(answered, policy.judged_rows)
        return JudgedRows(recent, ages.newest(np.setdiff1d(answered, recent), OLDER_ROWS))
    if ages.is_dated.any():
        return JudgedRows(ages.newest(held[ages.beyond(champion.horizon)[held]], OLDER_ROWS), none)
    return JudgedRows(ages.newest(held, OLDER_ROWS), none)


def judge_challengers(
    material: Material,
    champion: OpenedVersion,
    challengers: Sequence[Challenger],
    standing: OpenedVersion | None,
    *,
    look: int,
) -> Judgement:
    """Verdicts on the challengers, named by their kind, and on the standing one, named by its tag.

    The standing challenger is an earlier Bento that more labels were wanted for: it and the champion have
    seen none of the rows known since both, so it is judged on all of these.
    """
    rows = judged_rows(material, champion)
    since = _unseen_by(material.ages, champion, standing) if standing else np.zeros(0, dtype=int)
    since = since[material.keeps_contract[since]]
    places = np.unique(np.concatenate([rows.recent, rows.older, since]).astype(int))
    contracts = [champion.contract, *(one.contract for one in challengers)]
    if standing:
        contracts.append(standing.contract)
    classes = tuple(sorted({name for contract in contracts for name in contract.classes}))
    answer = partial(_answered, material=material, places=places, classes=classes)
    old = answer(champion.contract, champion.graph)
    everyone: list[tuple[str, _Answers, np.ndarray]] = [
        (one.kind, answer(one.contract, open_graph(one.pipeline.graph)), rows.recent) for one in challengers
    ]
    if standing:
        recent = np.union1d(since, rows.recent)
        everyone.append((standing.tag, answer(standing.contract, standing.graph), recent))
    contenders = [
        Contender(
            name,
            _paired(material, places, recent, old, new),
            _paired(material, places, rows.older, old, new) if len(rows.older) else None,
        )
        for name, new, recent in everyone
    ]
    policy = material.use_case.policy
    rules = Rules(
        metric=material.use_case.metric,
        classes=classes,
        positive=material.prepared.contract.positive,
        older_margin=policy.older_margin,
        recall_margin=policy.recall_margin,
        calibration_margin=policy.calibration_margin,
        false_promotions=policy.false_promotions,
    )
    answered = old.is_answered & np.isin(places, rows.recent)
    refused = ~np.logical_and.reduce([old.is_answered, *(new.is_answered for _, new, _ in everyone)])
    return Judgement(
        verdicts=judge(contenders, rules, look=look, seed=material.use_case.seed),
        recent=places[answered],
        refused=int(refused.sum()),
    )


def _held_from_both(material: Material, champion: OpenedVersion) -> np.ndarray:
    """bool (rows,): held out under the shares of both: the smaller share's rows are among the larger's."""
    share = min(material.use_case.holdout, champion.holdout)
    held = material.is_holdout.copy()
    places = np.flatnonzero(held)
    held[places] = holdout_mask(material.identities[places].tolist(), share, material.use_case.name)
    return held


def _unseen_by(ages: Ages, champion: OpenedVersion, standing: OpenedVersion) -> np.ndarray:
    unseen = ages.beyond(champion.horizon) & ages.beyond(standing.horizon) & ages.is_production
    return np.flatnonzero(unseen)


def _answered(
    contract: Contract, graph: Graph, material: Material, places: np.ndarray, classes: Sequence[str]
) -> _Answers:
    sent = frame_rows(contract, material.rows.iloc[places])
    checked, kept, _ = RowChecker(contract).check_each(sent)
    is_answered = np.zeros(len(places), dtype=bool)
    is_answered[kept] = True
    answers = np.zeros((len(places), len(classes)))
    if kept:
        columns = [classes.index(name) for name in contract.classes]
        answers[np.ix_(kept, columns)] = graph.answer(checked.numbers, checked.categories).probabilities
    return _Answers(is_answered, answers)


def _paired(
    material: Material, places: np.ndarray, wanted: np.ndarray, old: _Answers, new: _Answers
) -> Paired:
    """Both models' answers to the wanted rows that both can answer."""
    chosen = np.isin(places, wanted) & old.is_answered & new.is_answered
    in_frame = places[chosen]
    labels = material.rows[material.use_case.target].to_numpy(dtype=object)[in_frame]
    return Paired(
        labels=labels.astype(str),
        identities=material.identities[in_frame].astype(str),
        champion=old.probabilities[chosen],
        challenger=new.probabilities[chosen],
    )
