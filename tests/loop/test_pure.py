"""Rules take what they need as arguments; the few modules at the edge are named."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

LOOP = Path(__file__).resolve().parents[2] / "loop"
#: What reads a clock, a process or a network, or leaves something changed behind.
EFFECTS = frozenset(
    "asyncio atexit ctypes http logging multiprocessing os random secrets shutil signal socket "
    "sqlite3 subprocess tempfile threading time".split()
)
#: Each with its reason in docs/decisions/0013.
EDGES = {
    "claims": {"os", "socket"},
    "clock": {"time"},
    "stopping": {"logging", "os", "signal", "threading"},
    "tolerance": {"logging", "time"},
}


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_rules_have_no_effects() -> None:
    found = {path.stem: _imported(path) & EFFECTS for path in LOOP.glob("*.py")}
    beyond = {name: some for name, some in found.items() if some - EDGES.get(name, set())}
    assert not beyond, "pass it as an argument, or move it to who has the effect"


def test_rules_need_the_standard_library_and_numpy_alone() -> None:
    known = set(sys.stdlib_module_names) | {"numpy", "loop"}
    assert not {path.stem: more for path in LOOP.glob("*.py") if (more := _imported(path) - known)}
