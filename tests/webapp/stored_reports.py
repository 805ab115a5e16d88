"""Reports as the database and the folder of reports hold them, without a reporter."""

from __future__ import annotations

import json
from typing import Any

from loop.clock import now_ms
from storage.database import Database
from storage.reports import Report, claim_report, finish_report, request_report
from webapp.plan import Plan


def asked_for(database: Database, plan: Plan, at_ms: int | None = None, **asked: Any) -> Report:
    with database.writing() as connection:
        return request_report(
            connection,
            plan.use_case,
            trigger="person",
            reason="a <b>hunch</b>",
            asked_json=json.dumps(asked or {"last_rows": 1_000}),
            at_ms=at_ms or now_ms(),
        )


def numbers(**more: Any) -> str:
    column = {"group": "input", "kind": "number", "method": "jensenshannon", "threshold": 0.1, "p_value": 0.4}
    told: dict[str, Any] = {
        "reference": {"name": "reference", "rows": 5000, "answered": 5000},
        "current": {"name": "last 1,000 rows", "rows": 1000, "answered": 900, "labelled": 300},
        "drift_share": 0.5,
        "drift_threshold": 0.3,
        "target_drift": None,
        "prediction_drift": 0.01,
        "columns": [
            {**column, "name": "<age>", "distance": 0.25, "is_drifted": False, "note": ""},
            {**column, "name": "income", "distance": 0.12, "is_drifted": True, "note": "seen <once>"},
        ],
        "quality": None,
        "notes": ["Too few <labels>."],
    }
    return json.dumps({**told, **more})


def done(database: Database, plan: Plan, *, html: str | None = "<p>drawn</p>", **more: Any) -> Report:
    report = asked_for(database, plan)
    names: dict[str, Any] = {"html": None, "json": None}
    if html is not None:
        folder = plan.home / "reports" / plan.use_case
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "drift.html").write_text(html)
        (folder / "drift.json").write_text("{}")
        names = {kind: f"reports/{plan.use_case}/drift.{kind}" for kind in names}
    facts = {
        "decision": "INVESTIGATE",
        "sentence": "INVESTIGATE drift_share=0.50 >= 0.30",
        "numbers_json": numbers(),
    }
    with database.writing() as connection:
        claim_report(connection, plan.use_case, now_ms(), "reporter@h:1:1")
        finish_report(connection, report.report_id, now_ms(), **(facts | names | more))
    return report
