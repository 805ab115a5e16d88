"""Which rows the judge sees."""

from __future__ import annotations

import numpy as np

from loop.progress import Silence
from tests.training.cases import NOW, Case, flipped
from tests.training.cases import case as case
from tests.training.cases import sgd_case as sgd_case
from tests.training.production import stream
from training.challengers import fit_challengers
from training.judging import judge_challengers, judged_rows


def test_the_judge_sees_recent_holdout_rows_alone(sgd_case: Case) -> None:
    use_case = sgd_case.use_case.model_copy(
        update={"policy": sgd_case.use_case.policy.model_copy(update={"judged_rows": 100})}
    )
    sgd_case.use_case = use_case
    stream(sgd_case.database, use_case, flipped(900, seed=7), at_ms=NOW)
    material = sgd_case.material()
    rows = judged_rows(material, sgd_case.champion)
    answered = np.flatnonzero(material.is_holdout & material.ages.is_production)
    assert rows.recent.tolist() == answered[-100:].tolist()
    assert rows.older.tolist() == answered[:-100].tolist()
    fitted, _ = fit_challengers(
        material, sgd_case.champion, has_champion=True, is_thorough=False, progress=Silence()
    )
    judgement = judge_challengers(material, sgd_case.champion, fitted, None, look=1)
    assert {one.challenger for one in judgement.verdicts} == {one.kind for one in fitted}
    assert judgement.verdicts[0].decision == "promote" and judgement.verdicts[0].rows == 100
    assert judgement.verdicts[0].difference > 0.2 and judgement.refused == 0


def test_a_standing_challenger_is_judged_on_all_rows_that_came_after_it(sgd_case: Case) -> None:
    stream(sgd_case.database, sgd_case.use_case, flipped(300, seed=7), at_ms=NOW)
    before = sgd_case.material()
    fitted, _ = fit_challengers(
        before, sgd_case.champion, has_champion=True, is_thorough=False, progress=Silence()
    )
    standing = fitted[0].as_version(before, "visits:standing")
    stream(sgd_case.database, sgd_case.use_case, flipped(200, seed=8), at_ms=NOW + 10**6, name="later")
    after = sgd_case.material()
    judgement = judge_challengers(after, sgd_case.champion, fitted[:1], standing, look=2)
    by_name = {one.challenger: one for one in judgement.verdicts}
    held = int((before.is_holdout & before.ages.is_production).sum())
    assert by_name["visits:standing"].rows == held + 200
    assert by_name["fresh"].rows == held + int(after.is_holdout[-200:].sum())
    assert by_name["fresh"].look == 2
