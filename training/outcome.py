"""What became of a run: its scores, its verdicts, and the sentences that a person reads."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from loop.evaluation import Score
from loop.judge import Verdict
from storage.verdicts import StoredVerdict
from training.making import Made
from training.scores import known, scores_dict, table
from training.selection import CandidateResult
from use_cases.use_case import UseCase


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run that ended with a Bento."""

    run_id: str
    bento: str
    challenger: str
    """How the Bento's model was fitted: `training.recipe.Kind`."""
    metric: str
    """The one that decided between candidates."""
    scores: dict[str, Score]
    """On the held-out rows, the recent ones where there are enough; by metric."""
    candidates: tuple[CandidateResult, ...]
    """Best first; the baseline, random_forest, is among them where the use case lists it."""
    without_pca: CandidateResult | None
    """The best candidate on the columns as they are; None where the embedding is those, or nobody asked."""
    rows: dict[str, int]
    seconds: float
    verdict: str
    """The sentence on what becomes of the Bento."""
    promoted: bool
    """Whether it went to Production at once, because nothing was there."""
    verdicts: tuple[Verdict, ...] = ()
    """The judge's, best first."""
    notes: tuple[str, ...] = ()
    """Challengers that could not be fitted or judged, and why."""

    def lines(self) -> list[str]:
        """All that was said: a line a challenger, a line a note, then what becomes of the Bento."""
        said = [f"{one.challenger}: {one.decision}; {one.reason}" for one in self.verdicts]
        return [*said, *self.notes, self.verdict]


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided of a new Bento, and on what."""

    promotes: bool
    """At once, because nothing is in Production."""
    proven: str | None
    """Tag of the challenger that was proven better."""
    decision: str
    reason: str
    sentence: str
    facts: dict[str, Any]

    def as_json(self, sentence: str, seconds: dict[str, float]) -> str:
        told = {"decision": self.decision, "reason": self.reason, "sentence": sentence}
        return json.dumps({**told, **self.facts, "seconds": seconds})


def decide(use_case: UseCase, made: Made, champion: str | None) -> Decided:
    """The first Bento goes to Production; a later one by the judge's first verdict."""
    facts = {
        "metric": use_case.metric,
        "score": scores_dict(made.evaluation)[use_case.metric],
        "rows": made.rows["holdout"],
        "champion": champion,
        "challenger": made.recipe.kind,
        "verdicts": [_told(verdict) for verdict in made.verdicts],
        "notes": list(made.notes),
        "policy": use_case.policy.model_dump(mode="json"),
    }
    scored = (
        f"{use_case.metric} {made.evaluation.scores[use_case.metric]} on "
        f"{made.rows['holdout']:,} held-out rows"
    )
    if champion is None:
        reason = "nothing was in Production"
        return Decided(True, None, "promote", reason, f"PROMOTED {made.bento}: {reason}; {scored}.", facts)
    if not made.verdicts:
        reason = made.notes[0] if made.notes else f"{champion} came to Production meanwhile"
        sentence = f"KEPT {made.bento}: {reason}; {scored}. {_stays(champion, made.bento)}"
        return Decided(False, None, "keep", reason, sentence, facts)
    first = made.verdicts[0]
    tag = tag_of(first, made) or made.bento
    if first.decision == "promote":
        sentence = f"PROVEN {tag} ({first.challenger}): {first.reason}."
        return Decided(False, tag, first.decision, first.reason, sentence, facts)
    sentence = f"KEPT {made.bento}: {scored}. {first.challenger}: {first.reason}. "
    sentence += _stays(champion, made.bento)
    return Decided(False, None, first.decision, first.reason, sentence, facts)


def waiting(decided: Decided, champion: str | None) -> str:
    """The sentence on a proven challenger that nobody acts upon by himself."""
    return f"{decided.sentence} {_stays(champion or 'Nothing', decided.proven or '')}"


def tag_of(verdict: Verdict, made: Made) -> str | None:
    """Tag of the Bento that a verdict speaks of; None where none was built of that challenger."""
    if verdict.challenger == made.recipe.kind:
        return made.bento
    return verdict.challenger if ":" in verdict.challenger else None


def stored_verdicts(
    use_case: UseCase, made: Made, run_id: str, champion: str, at_ms: int
) -> list[StoredVerdict]:
    """The judge's verdicts as the tables keep them."""
    return [
        StoredVerdict(
            run_id=run_id,
            use_case=use_case.name,
            champion=champion,
            challenger=verdict.challenger,
            bento=tag_of(verdict, made),
            decision=verdict.decision,
            difference=known(verdict.difference),
            low=known(verdict.low),
            high=known(verdict.high),
            rows=verdict.rows,
            look=verdict.look,
            alpha=verdict.alpha,
            labels_wanted=verdict.labels_wanted,
            reason=verdict.reason,
            scores_json=json.dumps(
                {"champion": table(verdict.champion_scores), "challenger": table(verdict.challenger_scores)}
            ),
            policy_json=use_case.policy.model_dump_json(),
            at_ms=at_ms,
        )
        for verdict in made.verdicts
    ]


def _told(verdict: Verdict) -> dict[str, Any]:
    told = asdict(verdict)
    told |= {"champion_scores": table(verdict.champion_scores)}
    told |= {"challenger_scores": table(verdict.challenger_scores)}
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in told.items()
    }


def _stays(champion: str, bento: str) -> str:
    return f"{champion} stays in Production; `rebento promote {bento}` puts the new one in its place."
