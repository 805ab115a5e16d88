"""What one run and one verdict of a made-up past say."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np

from storage.run_facts import RunFacts
from storage.verdicts import Ruling, StoredVerdict
from storage.versions import Version


def link_files(old: Path, new: Path) -> None:
    """The same files under another name, without their bytes twice."""
    shutil.copytree(old, new, copy_function=os.link)


def verdicts_of(
    run_id: str,
    standing: Version,
    tag: str,
    before: str | None,
    shift: float,
    at_ms: int,
    random: np.random.Generator,
) -> tuple[StoredVerdict, ...]:
    """Three challengers, the best first."""
    scores = json.loads(standing.scores_json)
    pair = json.dumps({"champion": scores, "challenger": scores})
    found = []
    for place, kind in enumerate(("weighted", "fresh", "recent")):
        difference = round(shift - 0.01 * place + float(random.normal(0, 0.004)), 4)
        low, high = difference - 0.022, difference + 0.022
        decision: Ruling = "promote" if low > -0.02 and place == 0 else "keep"
        said = {"promote": "proven better", "keep": "not proven better"}[decision]
        reason = (
            f"{said}: roc_auc {difference:+.3f} ({low:+.3f} to {high:+.3f}) on 1,000 recent held-out rows"
        )
        found.append(
            StoredVerdict(
                *(run_id, standing.use_case, before, kind, tag if place == 0 else None, decision),
                *(difference, low, high, 1_000, place + 1, 0.0125, None, reason, pair, "{}", at_ms),
            )
        )
    return tuple(found)


def run_facts(standing: Version, tag: str, first: StoredVerdict, promoted: bool) -> RunFacts:
    """What the trainer tells of a run that built `tag`."""
    verdict = {
        "sentence": f"{'PROMOTED' if promoted else 'KEPT'} {tag}: {first.reason}.",
        "metric": "roc_auc",
        "notes": ["fine-tuned was left out: the champion's candidate cannot learn on"],
        "seconds": {"reading": 1.2, "embedding": 2.9, "fitting": 41.0, "judging": 6.4, "packaging": 5.1},
    }
    steps = ["reading rows", "preparing rows", "fitting fresh: random_forest, fitted anew on all rows"]
    steps += ["fitting recent: random_forest, fitted anew on the newest rows alone", "judging", "building"]
    log = [
        (first.at_ms - 53_000 + place * 9_000, step)
        for place, step in enumerate(["begun by trainer@example:1:1", *steps])
    ]
    return RunFacts(
        progress_json=json.dumps({"stage": "", "done": 0, "total": None, "log": log}),
        verdict_json=json.dumps(verdict),
        scores_json=standing.scores_json,
        rows_json=json.dumps({"training": 16_251, "production": 4_321, "holdout": 3_939}),
        libraries_json=json.dumps({"python": "3.11", "scikit-learn": "1.9.1", "onnxruntime": "1.31.1"}),
        data_digest=standing.data_digest,
        seconds=56.6,
        peak_memory_bytes=612_000_000,
    )
