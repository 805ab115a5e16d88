"""The Evidently workspace: one project a use case, a run a report, and panels of their numbers over time.

Runs are written as files in Evidently's own format, not through its `Workspace`: that writes in place, so a
process killed at work would leave half a file, at which Evidently's pages no longer start.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
from evidently.core.report import Snapshot
from evidently.legacy.renderers.html_widgets import text_widget
from evidently.legacy.utils import NumpyEncoder
from evidently.sdk.models import ProjectModel

from reporting.dashboard import dashboard
from reporting.rollup import roll_up
from reporting.whole import sweep_unfinished, write_whole

log = logging.getLogger("rebento.reporting")

_PROJECTS = uuid5(NAMESPACE_URL, "rebento/projects")
_ROLLED_UP = "rolled_up_by_rebento"


def keep_run(workspace: Path, project_name: str, snapshot: Snapshot) -> UUID:
    """Puts a report into the project of its use case and rolls up older ones; returns the run's id.

    Several processes may do this at once. The project and its panels are made where
    they are absent or cannot be read; panels that a person changed are left as they are.
    """
    project = workspace / str(project_id(project_name))
    stored = snapshot.to_snapshot_model()
    run = _run_id(int(stored.timestamp.replace(tzinfo=UTC).timestamp() * 1000))
    with _alone(workspace):
        mend(workspace)
        _prepare(project, project_name)
        write_whole(project / "snapshots" / f"{run}.json", _json(stored.dict()))
        _roll_up(project)
    return run


def project_id(project_name: str) -> UUID:
    """The same for the same use case, so that two writers never make two projects of it."""
    return uuid5(_PROJECTS, project_name)


def mend(workspace: Path) -> list[Path]:
    """Sets aside files that were cut short (a full disk, a copy that broke off) and returns them.

    Evidently's pages do not start over a single such file.
    """
    paths = sorted([*workspace.glob("*/*.json"), *workspace.glob("*/snapshots/*.json")])
    return [_set_aside(path) for path in paths if not _is_complete(path)]


def without_pictures(run: Mapping[str, Any]) -> dict[str, Any]:
    """A stored run with its numbers and the text at its top, a tenth of its size and memory."""
    note = text_widget(
        title="", text="Rolled up: the numbers stay; the pictures are in the report's own page."
    )
    results = {key: result | {"tests": [], "widget": None} for key, result in run["metric_results"].items()}
    return {
        **run,
        "metadata": run["metadata"] | {_ROLLED_UP: "yes"},
        "metric_results": results,
        "widgets": [*run["widgets"][:1], note.dict()],
        "tests_widgets": [],
    }


def _prepare(project: Path, name: str) -> None:
    sweep_unfinished(project)
    sweep_unfinished(project / "snapshots")
    metadata, panels = project / "metadata.json", project / "dashboard.json"
    if not metadata.exists():
        made = ProjectModel(id=project_id(name), name=name, description="Reports that Rebento made")
        write_whole(metadata, _json(made.dict()))
    if not panels.exists():
        write_whole(panels, _json(dashboard().dict()))


def _roll_up(project: Path) -> None:
    instants = {path: _at_ms(path) for path in (project / "snapshots").glob("*.json")}
    plan = roll_up(instants.values())
    numbers_only, gone = set(plan.numbers_only), set(plan.gone)
    for path, at_ms in instants.items():
        if at_ms in gone:
            path.unlink()
        elif at_ms in numbers_only:
            content = path.read_bytes()
            if _ROLLED_UP.encode() not in content:  # reading is quick, parsing 1.5 MB is not
                _leave_numbers(path, content)


def _leave_numbers(path: Path, content: bytes) -> None:
    try:
        run = orjson.loads(content)
    except ValueError:
        _set_aside(path)
    else:
        write_whole(path, _json(without_pictures(run)))


def _is_complete(path: Path) -> bool:
    with path.open("rb") as file:
        first, length = file.read(1), file.seek(0, os.SEEK_END)
        file.seek(max(0, length - 1))
        return (first, file.read(1)) == (b"{", b"}")


def _set_aside(path: Path) -> Path:
    aside = path.rename(path.with_suffix(".damaged"))
    log.warning("a file of the Evidently workspace cannot be read and is set aside path=%s", aside)
    return aside


def _run_id(at_ms: int) -> UUID:
    """A UUID of version 7 (RFC 9562, 5.7): its first 48 bits are the instant."""
    return UUID(
        int=(at_ms << 80) | (0x7 << 76) | (0b10 << 62) | secrets.randbits(62) | secrets.randbits(12) << 64
    )


def _at_ms(path: Path) -> int:
    return UUID(path.stem).int >> 80


def _json(value: Any) -> bytes:
    return json.dumps(value, cls=NumpyEncoder).encode()


@contextmanager
def _alone(workspace: Path) -> Iterator[None]:
    """Holds the workspace's lock, which ends with the process."""
    workspace.mkdir(parents=True, exist_ok=True)
    with (workspace / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
