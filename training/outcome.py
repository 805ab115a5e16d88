"""What became of a run: its scores, its verdict, and the sentence that a person reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from loop.evaluation import Score
from training.making import Made
from training.scores import scores_dict
from training.selection import CandidateResult
from use_cases.use_case import UseCase


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run that ended with a Bento."""

    run_id: str
    bento: str
    metric: str
    """The one that decided between candidates."""
    scores: dict[str, Score]
    """On the holdout, by metric."""
    candidates: tuple[CandidateResult, ...]
    """Best first; the baseline, random_forest, is among them where the use case lists it."""
    without_pca: CandidateResult | None
    """The best candidate on the columns as they are; None where the embedding is those."""
    rows: dict[str, int]
    seconds: float
    verdict: str
    promoted: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided of a new Bento, and on what."""

    promotes: bool
    reason: str
    sentence: str
    facts: dict[str, Any]

    def as_json(self) -> str:
        decision = "promote" if self.promotes else "keep"
        return json.dumps({"decision": decision, "reason": self.reason, **self.facts})


def verdict(use_case: UseCase, made: Made, champion: str | None) -> Verdict:
    """The first Bento goes to Production; a later one is kept until it is promoted."""
    deciding = made.evaluation.scores[use_case.metric]
    facts = {
        "metric": use_case.metric,
        "score": scores_dict(made.evaluation)[use_case.metric],
        "rows": made.rows["holdout"],
        "champion": champion,
        "policy": use_case.policy.model_dump(mode="json"),
    }
    scored = f"{use_case.metric} {deciding} on {made.rows['holdout']:,} held-out rows"
    if champion is None:
        reason = "nothing was in Production"
        return Verdict(True, reason, f"PROMOTED {made.bento}: {reason}; {scored}.", facts)
    reason = f"{champion} stays in Production; this one was built and kept"
    sentence = (
        f"KEPT {made.bento}: {scored}. {champion} stays in Production; "
        f"`rebento promote {made.bento}` puts the new one in its place."
    )
    return Verdict(False, reason, sentence, facts)
