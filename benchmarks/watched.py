"""A champion, and rows it has not learned from: what windows of a drift report are cut from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from loop.drift import DriftNumbers
from loop.evaluation import score
from loop.progress import Silence
from loop.report_decision import report_decision
from loop.triggers import Decision, quality_decision
from reporting.profiles import ReferenceBins, WindowProfile, drift_numbers
from runner.graph import Graph
from runner.rows import RowChecker
from training.challengers import cross_validated, fit_challengers
from training.golden import reference_sample
from training.graph import open_graph
from training.material import Material
from use_cases.contract import Contract
from use_cases.derive import frame_rows
from use_cases.schema import Policy
from use_cases.use_case import UseCase

SEED = 0


@dataclass(frozen=True)
class Watched:
    """Rows with the champion's honest answers: what a report compares."""

    use_case: UseCase
    contract: Contract
    dimensions: tuple[str, ...]
    rows: pd.DataFrame
    vectors: np.ndarray
    probabilities: np.ndarray
    """float64 (rows, classes)."""
    labels: np.ndarray
    """str (rows,)."""
    identities: np.ndarray
    """object (rows,)."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def predictions(self) -> np.ndarray:
        classes = np.array(self.contract.classes, dtype=object)
        return classes[self.probabilities.argmax(axis=1)]

    def take(self, places: np.ndarray) -> Watched:
        return replace(
            self,
            rows=self.rows.iloc[places].reset_index(drop=True),
            vectors=self.vectors[places],
            probabilities=self.probabilities[places],
            labels=self.labels[places],
            identities=self.identities[places],
        )

    def under(self, policy: Policy) -> Watched:
        """The same rows, reported on under another policy."""
        return replace(self, use_case=self.use_case.model_copy(update={"policy": policy}))

    def score(self) -> float:
        answers = (self.labels.tolist(), self.probabilities, self.contract.classes, self.contract.positive)
        return score(self.use_case.metric, *answers)

    def bins(self) -> ReferenceBins:
        return ReferenceBins.of(self.rows, self.contract, self.vectors, self.dimensions)

    def profile(
        self, bins: ReferenceBins, *, is_labelled: bool = True, knows_whose: bool = True
    ) -> WindowProfile:
        """Its counts, with or without its labels and whose each row is."""
        profile = WindowProfile(bins)
        labels = self.labels.astype(object) if is_labelled else None
        identities = self.identities if knows_whose else None
        profile.add(self.rows, self.vectors, self.predictions, labels, identities)
        return profile


@dataclass(frozen=True)
class Champion:
    """Fitted by the production functions, without a Bento around it."""

    use_case: UseCase
    contract: Contract
    graph: Graph
    dimensions: tuple[str, ...]
    learned: Watched
    """Its training rows with out-of-fold answers."""

    @classmethod
    def of(cls, use_case: UseCase, rows: pd.DataFrame) -> Champion:
        material = Material.of(use_case, rows, None)
        fitted, _ = fit_challengers(material, None, has_champion=False, is_thorough=False, progress=Silence())
        challenger = fitted[0]
        out_of_fold = cross_validated(material, challenger, Silence()).out_of_fold
        graph = open_graph(challenger.pipeline.graph)
        training = challenger.training
        answers = graph.answer(training.rows.numbers, training.rows.categories)
        dimensions = challenger.pipeline.embedding.dimensions
        learned = Watched(
            use_case,
            challenger.contract,
            dimensions,
            challenger.training_frame,
            answers.vectors,
            out_of_fold,
            training.labels,
            training.identities.astype(object),
        )
        return cls(use_case, challenger.contract, graph, dimensions, learned)

    def reference(self) -> Watched:
        """As a Bento carries it: at most 5,000 of the training rows."""
        place = "benchmark_place"
        frame = self.learned.rows.assign(**{self.contract.target: self.learned.labels})
        sample = reference_sample(
            self.contract.model_copy(update={"target": place}),
            frame.assign(**{place: np.arange(len(frame))}),
            self.learned.probabilities,
            SEED,
        )
        return self.learned.take(sample[place].to_numpy())

    def answer(self, rows: pd.DataFrame) -> Watched:
        """Rows as they come to the service, in order; those that break the contract are left out."""
        rows = rows.reset_index(drop=True)
        checked, kept, _ = RowChecker(self.contract).check_each(frame_rows(self.contract, rows))
        answered = self.graph.answer(checked.numbers, checked.categories)
        whose = checked.entity_ids if self.contract.id_column else [f"row {place}" for place in kept]
        kept_rows = rows.iloc[kept].reset_index(drop=True)
        return Watched(
            self.use_case,
            self.contract,
            self.dimensions,
            kept_rows,
            answered.vectors,
            answered.probabilities.astype(np.float64),
            kept_rows[self.contract.target].astype(str).to_numpy(),
            np.array(whose, dtype=object),
        )


@dataclass(frozen=True)
class Side:
    """The reference as a report sees it: its counts, and the champion's score on it."""

    profile: WindowProfile
    score: float

    @classmethod
    def of(cls, reference: Watched) -> Side:
        # The reference sample in a Bento does not say whose its rows are.
        return cls(reference.profile(reference.bins(), knows_whose=False), reference.score())


@dataclass(frozen=True)
class Reported:
    """What a report says of one window."""

    decision: Decision
    drift: DriftNumbers


def report(side: Side, window: Watched, *, is_labelled: bool = True, knows_whose: bool = True) -> Reported:
    """As the reporter decides it, with all labels of the window or none."""
    policy = window.use_case.policy
    profile = window.profile(side.profile.bins, is_labelled=is_labelled, knows_whose=knows_whose)
    drift = drift_numbers(side.profile, profile, policy, seed=SEED)
    decision = report_decision(
        drift,
        quality(side.score, window) if is_labelled else None,
        drift_share=policy.drift_share,
        target_drift=policy.target_drift,
        rows=len(window),
        least_rows=policy.least_report_rows,
    )
    return Reported(decision, drift)


def quality(reference: float, window: Watched) -> Decision:
    """What the labels of the whole window say of the champion."""
    return quality_decision(
        window.use_case.metric,
        reference,
        window.labels.tolist(),
        window.probabilities,
        window.contract.classes,
        window.contract.positive,
        margin=window.use_case.policy.quality_margin,
        identities=[str(one) for one in window.identities],
        seed=SEED,
    )
