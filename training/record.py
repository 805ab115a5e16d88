"""What an experiment tracker would keep of a run: code, libraries, memory."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

_LIBRARIES = ("bentoml", "numpy", "onnx", "onnxruntime", "pandas", "scikit-learn", "skl2onnx", "skops")


def code_revision(root: Path) -> str:
    """The commit of the code, `+dirty` where files differ from it; `unknown` where there is no git."""
    revision = _git(root, "rev-parse", "HEAD")
    # A folder inside somebody else's checkout would answer with that one's commit.
    if not revision or Path(_git(root, "rev-parse", "--show-toplevel")) != root.resolve():
        return "unknown"
    return f"{revision}+dirty" if _git(root, "status", "--porcelain", "--untracked-files=no") else revision


def library_versions() -> dict[str, str]:
    """The versions that decide what a fit gives."""
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}


def peak_memory_bytes() -> int:
    """The most memory this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB


def _git(root: Path, *words: str) -> str:
    """What git says; nothing where it is not installed or the folder is no checkout of its own."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(root), *words],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
