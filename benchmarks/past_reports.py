"""Reports of a made-up past: their rows, and small files in place of Evidently's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection

from storage.reports import claim_report, fail_report, finish_report, request_report
from storage.versions import Version
from use_cases.contract import Contract

_DAY_MS = 86_400_000


def add_reports(
    connection: Connection,
    home: Path,
    standing: Version,
    contract: Contract,
    count: int,
    days: int,
    ends_ms: int,
) -> None:
    """So many reports over so many days, one of them failed, with small files in place of Evidently's."""
    step_ms = days * _DAY_MS // (count + 1)
    for number in range(count):
        at_ms = ends_ms - (count - number) * step_ms
        by_schedule = number % 3 > 0
        asked = request_report(
            connection,
            standing.use_case,
            trigger="schedule" if by_schedule else "person",
            reason="24 hours since the last report" if by_schedule else "report now, on the pages",
            asked_json=json.dumps({"last_rows": 1_000 + number}),
            at_ms=at_ms,
        )
        claim_report(connection, standing.use_case, at_ms + 1_000, "reporter@example:1:1")
        if number == count - 4:
            error = "no production rows lie between 2026-01-01 and 2026-01-02; choose another window"
            fail_report(connection, asked.report_id, at_ms + 2_000, error)
            continue
        decision, sentence, numbers = report_numbers(contract, number, count)
        name = f"drift_reference_vs_last_{1_000 + number}_rows"
        folder = home / "reports" / standing.use_case
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(numbers), encoding="utf-8")
        (folder / f"{name}.html").write_text(f"<!doctype html><title>{name}</title><p>{sentence}</p>\n")
        finish_report(
            connection,
            asked.report_id,
            at_ms + 9_000,
            name=name,
            bento=standing.tag,
            decision=decision,
            sentence=sentence,
            numbers_json=json.dumps(numbers),
            html=f"reports/{standing.use_case}/{name}.html",
            json=f"reports/{standing.use_case}/{name}.json",
        )


def report_numbers(contract: Contract, number: int, of: int) -> tuple[str, str, dict[str, Any]]:
    """Decision, its whole line, and the numbers of one report; the last of them but two found drift."""
    drifts = number == of - 3
    random = np.random.default_rng(number)
    columns = []
    for place, column in enumerate(contract.columns):
        distance = float(abs(random.normal(0.03, 0.012))) + (0.16 if drifts and place % 2 == 0 else 0.0)
        columns.append(
            {
                "name": column.name,
                "group": "input",
                "kind": "category" if column.kind == "category" else "number",
                "method": "jensenshannon",
                "distance": round(distance, 4),
                "threshold": 0.1,
                "p_value": round(float(random.uniform(0.05, 0.9)), 4) if distance < 0.1 else 0.0004,
                "is_drifted": distance >= 0.1,
                "note": "",
            }
        )
    for group, name in (("prediction", "prediction"), ("target", contract.target)):
        columns.append(
            {
                **{"name": name, "group": group, "kind": "category", "method": "jensenshannon"},
                **{"distance": 0.021, "threshold": 0.1, "p_value": 0.41, "is_drifted": False, "note": ""},
            }
        )
    share = round(sum(one["is_drifted"] for one in columns) / len(contract.columns), 4)
    if share >= 0.3:
        decision = "INVESTIGATE"
        sentence = (
            f"INVESTIGATE drift_share={share:.2f} >= 0.30 (target_drift=0.02): the inputs drifted, and "
            "quality holds; look at the drifted columns before training on them"
        )
    else:
        decision, sentence = "NO_ACTION", f"NO_ACTION drift_share={share:.2f} < 0.30 (target_drift=0.02)"
    return decision, sentence, {**_numbers(contract, share), "columns": columns}


def _numbers(contract: Contract, share: float) -> dict[str, Any]:
    def score(value: float, **more: Any) -> dict[str, Any]:
        return {"value": value, "low": round(value - 0.04, 4), "high": round(value + 0.04, 4), **more}

    named = {"f1": 0.81, "balanced_accuracy": 0.654, "precision": 0.79, "recall": 0.84, "roc_auc": 0.719}
    per_class = {"precision": score(0.71), "recall": score(0.66), "f1": score(0.684), "rows": 150}
    return {
        "reference": {"name": "reference", "rows": 5_000, "answered": 5_000},
        "current": {"name": "last 1,000 rows", "rows": 1_000, "answered": 1_000, "labelled": 270},
        "sample": {"rows": 20_000, "seed": 0},
        "drift_share": share,
        "drift_threshold": 0.3,
        "target_drift": 0.02,
        "prediction_drift": 0.02,
        "quality": {
            "metric": "roc_auc",
            "reference": score(0.727),
            "realised": score(0.719, rows=270),
            "estimated": score(0.731, rows=730, of="unlabelled"),
            "estimate_error": {"value": 0.012, "low": -0.02, "high": 0.044, "rows": 270, "estimated": 0.731},
            "coverage": 0.27,
            "delay_hours": {"0.1": 2, "0.5": 14, "0.9": 46},
            "coverage_by_age": [
                {"from_hours": 0, "to_hours": 24, "rows": 600, "labelled": 70},
                {"from_hours": 24, "to_hours": None, "rows": 400, "labelled": 200},
            ],
            "scores": {name: score(value) for name, value in named.items()},
            "estimated_scores": {"roc_auc": score(0.731), "f1": score(0.815)},
            "classes": {name: per_class for name in contract.classes},
            "confusion": None,
            "confidence": [],
        },
        "notes": ["The truths of 730 of 1,000 answers are not known yet; quality speaks of the other 270."],
    }
