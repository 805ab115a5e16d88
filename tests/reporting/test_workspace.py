"""Runs reach the Evidently workspace whole, whoever else writes there, and old ones are rolled up."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.reporting.sides import rows, sides, snapshot

if TYPE_CHECKING:
    from evidently.ui.workspace import Workspace

pytestmark = [
    pytest.mark.slow,  # Evidently takes seconds to import
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

DAY_MS = 24 * 3_600_000
NOON_MS = 1_700_000_000_000


@pytest.fixture(scope="module")
def report() -> Callable[[int], Any]:
    """A report that stands at an instant (ms)."""
    from evidently.core.report import Snapshot

    made = json.loads(snapshot(sides(rows(200))).dumps())

    def at(at_ms: int) -> Snapshot:
        instant = datetime.fromtimestamp(at_ms / 1000, UTC).replace(tzinfo=None)
        return Snapshot.load_dict(made | {"timestamp": instant.isoformat()})

    return at


def opened(path: Path) -> Workspace:
    from evidently.ui.workspace import Workspace

    return Workspace(str(path))


def runs(path: Path) -> list[Any]:
    """Every run of the one project, as Evidently reads it, oldest first."""
    workspace = opened(path)
    (project,) = workspace.list_projects()
    found = [workspace.get_run(project.id, run) for run in workspace.list_runs(project.id)]
    return sorted(found, key=lambda run: run.timestamp)


def test_evidently_reads_the_project_its_panels_and_its_run(
    tmp_path: Path, report: Callable[[int], Any]
) -> None:
    from reporting.workspace import keep_run, project_id

    keep_run(tmp_path, "doctor_visits", report(NOON_MS))
    workspace = opened(tmp_path)
    (project,) = workspace.list_projects()
    assert (project.id, project.name) == (project_id("doctor_visits"), "doctor_visits")
    (run,) = runs(tmp_path)
    assert run.timestamp.isoformat() == "2023-11-14T22:13:20"
    kept = {
        (r.metric_value_location.metric.params["type"], r.metric_value_location.metric.params.get("name"))
        for r in run.metric_results.values()
    }
    panels = workspace.get_dashboard(project.id).panels
    assert len(panels) > 10
    for panel in panels:
        shown = {(metric.metric, metric.metric_labels.get("name")) for metric in panel.values}
        if panel.title not in ("ROC AUC", "Precision", "Recall", "Accuracy"):  # scores that were not told
            assert shown & kept, panel.title


def test_a_second_use_case_has_a_project_of_its_own_and_a_changed_dashboard_stays(
    tmp_path: Path, report: Callable[[int], Any]
) -> None:
    from evidently.sdk.models import DashboardModel

    from reporting.workspace import keep_run, project_id

    keep_run(tmp_path, "one", report(NOON_MS))
    opened(tmp_path).save_dashboard(project_id("one"), DashboardModel(tabs=[], panels=[]))
    keep_run(tmp_path, "two", report(NOON_MS))
    keep_run(tmp_path, "one", report(NOON_MS + 1))
    workspace = opened(tmp_path)
    assert {project.name for project in workspace.list_projects()} == {"one", "two"}
    assert len(list(workspace.list_runs(project_id("one")))) == 2
    assert workspace.get_dashboard(project_id("one")).panels == []
    assert workspace.get_dashboard(project_id("two")).panels


def test_writers_at_once_lose_no_run(tmp_path: Path, report: Callable[[int], Any]) -> None:
    write_at_once(tmp_path, [report(NOON_MS + turn) for turn in range(8)])
    assert len(runs(tmp_path)) == 8


def test_writers_at_once_roll_up_without_stumbling_over_each_other(
    tmp_path: Path, report: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from reporting import rollup

    monkeypatch.setattr(rollup, "WHOLE", 1)
    monkeypatch.setattr(rollup, "NUMBERS_OF_ALL", 2)
    write_at_once(tmp_path, [report(NOON_MS + turn) for turn in range(16)])
    assert runs(tmp_path)[-1].timestamp.microsecond == 15_000


def write_at_once(path: Path, snapshots: list[Any]) -> None:
    """Each from a thread of its own; the first failure is raised."""
    from reporting.workspace import keep_run

    gate = threading.Barrier(len(snapshots))

    def write(snapshot: Any) -> None:
        gate.wait()
        keep_run(path, "small", snapshot)

    with ThreadPoolExecutor(len(snapshots)) as pool:
        for done in [pool.submit(write, snapshot) for snapshot in snapshots]:
            done.result()


def test_a_damaged_workspace_is_mended_and_takes_the_next_run(
    tmp_path: Path, report: Callable[[int], Any]
) -> None:
    from reporting.workspace import keep_run, project_id

    kept = keep_run(tmp_path, "small", report(NOON_MS))
    project = tmp_path / str(project_id("small"))
    broken = project / "snapshots" / f"{kept}.json"
    for path in (broken, project / "metadata.json", project / "dashboard.json"):
        path.write_bytes(path.read_bytes()[:50])
    keep_run(tmp_path, "small", report(NOON_MS + DAY_MS))
    (run,) = runs(tmp_path)
    assert run.timestamp.day == 15
    assert opened(tmp_path).get_dashboard(project_id("small")).panels
    assert broken.with_suffix(".damaged").exists()


def test_old_runs_keep_their_numbers_and_lose_their_pictures(
    tmp_path: Path, report: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from reporting import rollup
    from reporting.workspace import keep_run, project_id

    monkeypatch.setattr(rollup, "WHOLE", 2)
    monkeypatch.setattr(rollup, "NUMBERS_OF_ALL", 3)
    for turn in range(6):
        keep_run(tmp_path, "small", report(NOON_MS + turn * DAY_MS // 2))
    found = runs(tmp_path)
    assert [len(run.widgets) > 10 for run in found] == [False, False, False, True, True]
    numbers = [
        {r.display_name: r.value for r in run.metric_results.values() if hasattr(r, "value")} for run in found
    ]
    assert numbers[0] == numbers[-1] and numbers[0]["drift share"] == 0.0
    assert "Rolled up" in found[0].widgets[1].params["text"]
    sizes = sorted(
        path.stat().st_size for path in (tmp_path / str(project_id("small")) / "snapshots").iterdir()
    )
    assert sizes[2] < sizes[3] / 5
