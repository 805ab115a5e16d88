"""The report that a person reads: Evidently's drift and classification, below our decision and its numbers.

One report a process: the drift that Evidently shows is handed to it in a module's variable.
"""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
from evidently.core.report import Report, Snapshot
from evidently.legacy.calculations.stattests import StatTest, register_stattest
from evidently.legacy.core import ColumnType
from evidently.legacy.utils import NumpyEncoder
from evidently.metrics import ValueDrift
from evidently.presets import DataDriftPreset
from sklearn.exceptions import UndefinedMetricWarning

from loop.drift import METHOD_NAMES, ColumnDrift, DriftNumbers
from reporting.evidently_columns import ComparedColumns, compared_columns
from reporting.evidently_metrics import numbers_run
from reporting.evidently_quality import quality_run
from reporting.evidently_top import heading, panel_numbers, top_widgets
from use_cases.contract import Contract

if TYPE_CHECKING:
    from reporting.quality import QualityNumbers
    from reporting.windows import Window

_POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
_POLICY += "img-src data: blob:; font-src data:; connect-src data: blob:; worker-src blob:"
"""A report opened from disk asks no other machine for anything."""

_STYLE = "<style>.MuiGrid-direction-xs-column { flex-wrap: nowrap !important } "
_STYLE += ".MuiPaper-root { overflow-x: auto !important }</style>"
"""Evidently's page cuts off what is wider than the window: here text wraps and tables scroll."""

_measured: dict[str, ColumnDrift] = {}


@dataclass(frozen=True)
class Sides:
    """The two windows of one report."""

    reference: Window
    current: Window
    contract: Contract


def evidently_run(
    sides: Sides,
    drift: DriftNumbers,
    quality: QualityNumbers,
    *,
    title: str,
    sentence: str = "",
    drift_share: float = 0.3,
    notes: Sequence[str] = (),
    at_ms: int | None = None,
) -> Snapshot:
    """Evidently's snapshot of the report, whatever the windows hold.

    `sentence` is the whole decision line, `drift_share` the policy's threshold, `notes` what is already known
    not to be said; `at_ms` the instant it stands at (now, where not given). What Evidently cannot show (no
    rows, no labels, a class that never occurs) is left out and said at the top.
    """
    told = quality.to_json()
    columns = compared_columns(sides, drift)
    with warnings.catch_warnings():
        # Evidently divides by what does not occur; what is then no number is left out below.
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.filterwarnings("ignore", "A single label was found")
        labelled, quality_notes = quality_run(sides)
        parts = _drift_parts(columns, drift_share)
    if labelled is not None:
        parts.append(("Quality on the labelled rows", "", labelled))
    current, reference = panel_numbers(sides, drift, told, drift_share)
    all_notes = list(dict.fromkeys([*notes, *columns.notes, *quality_notes]))
    top = top_widgets(sides, drift, told, title=title, sentence=sentence, notes=all_notes)
    whole = numbers_run(current, reference).dump_dict() | {
        "name": title,
        "timestamp": _instant(at_ms).isoformat(),
        "metadata": {"sentence": sentence},
        "tags": [sentence.partition(" ")[0]] if sentence else [],
        "widgets": [widget.dict() for widget in top],
    }
    for name, text, part in parts:
        found = part.dump_dict()
        whole["metric_results"] |= found["metric_results"]
        whole["top_level_metrics"] += found["top_level_metrics"]
        whole["widgets"] += [heading(name, text).dict(), *found["widgets"]]
        whole["tests_widgets"] += found["tests_widgets"]
    for result in whole["metric_results"].values():
        result["widget"] = None  # each stands in `widgets` already: half of the file and of the UI's memory
    return Snapshot.load_dict(_without_nan(json.loads(json.dumps(whole, cls=NumpyEncoder))))


def html_page(snapshot: Snapshot, report_id: str) -> bytes:
    """One page that holds all it needs, and near its beginning the report that it belongs to."""
    page = snapshot.get_html_str(as_iframe=False)
    # A category may be called '</script>'; inside of JSON '<' stands in texts only.
    page = re.sub(r"(?s)(?<=<script>)\s*var metric_.*?(?=\n\s*</script>)", _without_tags, page, count=1)
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    belongs = f'<meta name="rebento-report" content="{report_id}">'
    return page.replace("<head>", f"<head>{policy}{belongs}{_STYLE}", 1).encode()


def as_json(snapshot: Snapshot) -> Any:
    """Evidently's metrics and tests, an object that strict JSON can carry."""
    return _without_nan(json.loads(json.dumps(snapshot.dict(), cls=NumpyEncoder)))


def _drift_parts(columns: ComparedColumns, drift_share: float) -> list[tuple[str, str, Snapshot]]:
    global _measured
    _measured = columns.drifts
    methods = {one.method for one in columns.drifts.values()}
    for method in methods:
        name = f"{METHOD_NAMES.get(method, method)}, of all rows"
        kinds = [ColumnType.Numerical, ColumnType.Categorical]
        register_stattest(StatTest(_test_name(method), name, kinds), _as_measured)
    parts = []
    for group, name, text in (
        ("input", "Drift of the inputs", "The raw columns, as they were sent."),
        ("embedding", "Drift of the embedding", "The dimensions that the model sees."),
    ):
        names = columns.of_group(group)
        if names:
            preset = DataDriftPreset(
                columns=names,
                drift_share=drift_share,
                per_column_method={one: _test_name(columns.drifts[one].method) for one in names},
                per_column_threshold={one: columns.drifts[one].threshold for one in names},
            )
            parts.append((name, text, _run([preset], columns, names)))
    for name in columns.of_group("prediction", "target"):
        one = columns.drifts[name]
        metric = ValueDrift(column=name, method=_test_name(one.method), threshold=one.threshold)
        parts.append((f"Drift of the {one.group}", "", _run([metric], columns, [name])))
    return parts


def _run(metrics: list[Any], columns: ComparedColumns, names: list[str]) -> Snapshot:
    reference, current = columns.datasets(names)
    return Report(metrics, include_tests=True).run(current, reference)


def _as_measured(
    reference: pd.Series, current: pd.Series, kind: ColumnType, threshold: float
) -> tuple[float, bool]:
    """Evidently's test of a column: what was measured on all rows, not the sample that it is given."""
    one = _measured[str(reference.name)]
    return one.distance, one.is_drifted


def _test_name(method: str) -> str:
    # Evidently has a 'jensenshannon' of its own, over other bins.
    return f"rebento_{method}"


def _instant(at_ms: int | None) -> datetime:
    """Naive UTC: what Evidently's pages show as it stands."""
    now = datetime.now(UTC) if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC)
    return now.replace(tzinfo=None)


def _without_tags(found: re.Match[str]) -> str:
    return found.group().replace("<", "\\u003c")


def _without_nan(value: Any) -> Any:
    """JSON without NaN and infinity, which browsers refuse: such results are left out, all others null."""
    if isinstance(value, dict):
        if "metric_results" in value:
            gone = {
                key for key, one in value["metric_results"].items() if not _is_number(one.get("value", 0))
            }
            value = value | {
                "metric_results": {k: v for k, v in value["metric_results"].items() if k not in gone},
                "top_level_metrics": [key for key in value["top_level_metrics"] if key not in gone],
            }
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_nan(one) for one in value]
    return value if _is_number(value) else None


def _is_number(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
