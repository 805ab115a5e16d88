"""Replays in which nothing changes: how often is something promoted that is no better?

Each replay is another order of the rows of one month, so no row is both learned from and judged on. What is
promoted is compared with what it replaced on the rows that no part of the replay has used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.streams import Stream
from loop.evaluation import score
from loop.holdout import is_holdout
from loop.judge import Contender, Paired, Rules, Verdict, judge
from use_cases.schema import Policy

Judge = Callable[..., tuple[Verdict, ...]]

REFERENCE_ROWS = 2_000
K = 150
LOOKS = 20
RECENT_ROWS = 800
HOLDOUT = 0.2


@dataclass(frozen=True)
class Rows:
    """One month as numbers."""

    vectors: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    positive: str

    def meaningless(self) -> Rows:
        """The same rows with labels that nothing can predict: whatever looks better is luck."""
        return replace(self, labels=np.random.default_rng(5).permutation(self.labels))

    @classmethod
    def of(cls, stream: Stream) -> Rows:
        frame = stream.reference
        left_out = [name for name in (stream.target, stream.id, "signup_date") if name in frame.columns]
        columns = pd.get_dummies(frame.drop(columns=left_out)).fillna(0.0)
        labels = frame[stream.target].to_numpy(dtype=str)
        return cls(columns.to_numpy("float64"), labels, stream.classes, stream.positive)


@dataclass(frozen=True)
class Calm:
    """What one replay without drift came to."""

    looks: int
    promotions: int
    false_promotions: int


def calm_replays(rows: Rows, replays: int, processes: int, judged_by: Judge = judge) -> list[Calm]:
    """So many replays, each with its own seed."""
    one = partial(calm_replay, rows, judged_by=judged_by)
    if processes == 1:
        return [one(seed) for seed in range(replays)]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(one, range(replays), chunksize=4))


def calm_replay(rows: Rows, seed: int, judged_by: Judge = judge) -> Calm:
    """A look every K labels, LOOKS in all, with three fresh challengers and one that stands."""
    with threadpool_limits(1):
        return _Replay(rows, seed, judged_by).run()


class _Replay:
    def __init__(self, rows: Rows, seed: int, judged_by: Judge) -> None:
        self.rows, self.seed, self.judged_by = rows, seed, judged_by
        self.order = np.random.default_rng(seed).permutation(len(rows.labels))
        names = [f"{seed}-{place}" for place in range(len(rows.labels))]
        self.held = np.array([is_holdout(name, HOLDOUT, "calm") for name in names])
        policy = Policy()
        self.judged_rows, self.half_life = policy.judged_rows, policy.half_life_rows
        self.rules = Rules(
            metric="roc_auc",
            classes=rows.classes,
            positive=(rows.positive,),
            older_margin=policy.older_margin,
            recall_margin=policy.recall_margin,
            calibration_margin=policy.calibration_margin,
            false_promotions=policy.false_promotions,
        )

    def run(self) -> Calm:
        champion, champion_knew = self.fit(self.learned(REFERENCE_ROWS)), REFERENCE_ROWS
        standing: tuple[Pipeline, int] | None = None
        look = promotions = false = 0
        unused = self.order[REFERENCE_ROWS + K * LOOKS :]
        for known in range(REFERENCE_ROWS + K, REFERENCE_ROWS + K * LOOKS + 1, K):
            look += 1
            places = np.arange(REFERENCE_ROWS, known)
            held = places[self.held[places]]
            recent, older = held[-self.judged_rows :], held[: -self.judged_rows]
            fitted = self.challengers(known)
            contenders = [
                Contender(name, self.pair(recent, champion, model), self.pair(older, champion, model))
                for name, model in fitted.items()
            ]
            if standing is not None:
                since = np.union1d(recent, np.arange(max(champion_knew, standing[1]), known))
                contenders.append(Contender("standing", self.pair(since, champion, standing[0]), None))
            verdicts = self.judged_by(contenders, self.rules, look=look, seed=self.seed)
            best = next(one for one in verdicts if one.challenger != "standing")
            first = verdicts[0]
            if first.decision == "promote":
                stands = standing if first.challenger == "standing" else None
                promoted, knew = stands or (fitted[first.challenger], known)
                promotions += 1
                false += self.quality(promoted, unused) <= self.quality(champion, unused)
                champion, champion_knew, standing, look = promoted, knew, None, 0
            elif best.decision == "more labels":
                standing = fitted[best.challenger], known
        return Calm(LOOKS, promotions, false)

    def challengers(self, known: int) -> dict[str, Pipeline]:
        learned = self.learned(known)
        age = np.arange(len(learned))[::-1]
        return {
            "fresh": self.fit(learned),
            "recent": self.fit(learned[-RECENT_ROWS:]),
            "weighted": self.fit(learned, np.exp2(-age / self.half_life)),
        }

    def learned(self, known: int) -> np.ndarray:
        return np.flatnonzero(~self.held[:known])

    def fit(self, places: np.ndarray, weights: np.ndarray | None = None) -> Pipeline:
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        chosen = self.order[places]
        model.fit(
            self.rows.vectors[chosen], self.rows.labels[chosen], logisticregression__sample_weight=weights
        )
        return model

    def pair(self, places: np.ndarray, champion: Pipeline, challenger: Pipeline) -> Paired:
        chosen = self.order[places]
        vectors = self.rows.vectors[chosen]
        empty = np.zeros((0, len(self.rows.classes)))
        return Paired(
            labels=self.rows.labels[chosen],
            identities=chosen.astype(str),
            champion=champion.predict_proba(vectors) if len(chosen) else empty,
            challenger=challenger.predict_proba(vectors) if len(chosen) else empty,
        )

    def quality(self, model: Pipeline, unused: np.ndarray) -> float:
        return score(
            self.rules.metric,
            self.rows.labels[unused].tolist(),
            model.predict_proba(self.rows.vectors[unused]),
            self.rows.classes,
            self.rules.positive,
        )


def share_of_false(found: Sequence[Calm]) -> float:
    """Share of replays in which anything was promoted that was no better."""
    return sum(one.false_promotions > 0 for one in found) / len(found)
