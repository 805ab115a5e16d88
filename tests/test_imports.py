"""Imports run one way; this table is the rule."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

MAY_IMPORT: dict[str, set[str]] = {
    "loop": set(),
    "settings": set(),
    "storage": {"loop"},
    "monitoring": {"loop"},
    "use_cases": {"loop"},
    "runner": {"loop", "monitoring", "use_cases", "storage"},
    "training": {"loop", "storage", "use_cases", "runner"},
    "reporting": {"loop", "monitoring", "storage", "use_cases", "runner"},
    "diagnosis": {"loop", "storage", "use_cases", "runner"},
    "files": {"loop", "storage", "use_cases", "runner", "training"},
    "supervisor": {"loop", "storage", "monitoring"},
    "service": {"loop", "runner", "storage", "use_cases", "monitoring", "settings"},
    "installation": {"loop", "runner", "storage", "use_cases", "settings"},
    "terminal": {"loop", "storage", "training"},
    "webapp": {"loop", "monitoring", "storage", "use_cases"},
    "commands": {
        *("diagnosis", "files", "installation", "monitoring", "terminal", "loop", "runner", "settings"),
        *("reporting", "storage", "supervisor", "training", "use_cases", "webapp"),
    },
    "cli": {"commands", "loop", "runner", "settings", "terminal"},
}


def _sources(part: str) -> list[Path]:
    folder = ROOT / part
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [ROOT / f"{part}.py"]


def _imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_imports_run_one_way(part: str) -> None:
    allowed = MAY_IMPORT[part] | {part}
    for path in _sources(part):
        ours = _imported(path) & set(MAY_IMPORT)
        assert ours <= allowed, f"{path.relative_to(ROOT)} imports {sorted(ours - allowed)}"


def test_every_source_folder_has_a_rule() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    modules = {path.stem for path in ROOT.glob("*.py")}
    assert folders | modules <= set(MAY_IMPORT)


def test_files_stay_short() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for part in MAY_IMPORT
        for path in _sources(part)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 260
    }
    assert not long, "is it two things?"


def test_a_bento_holds_no_training_reporting_or_web_code() -> None:
    """What service.py can reach, followed through our own imports, is what bentofile.yaml includes."""
    reached: set[str] = set()
    waiting = {"service"}
    while waiting:
        part = waiting.pop()
        reached.add(part)
        for path in _sources(part):
            waiting |= (_imported(path) & set(MAY_IMPORT)) - reached
        if part == "use_cases":  # the Bento carries the contract alone
            waiting -= {"training"}
    assert reached <= {"service", "settings", "loop", "monitoring", "runner", "storage", "use_cases"}
