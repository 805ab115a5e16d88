"""The command where nothing is installed but what serves, as in the serving image."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.homes import ROOT, Home

#: What requirements-service.lock leaves out and a command might import.
_ABSENT = ("pandas", "sklearn", "skl2onnx", "pyarrow", "statsmodels", "itsdangerous", "babel", "evidently")
_COMMAND = f"""
import sys
sys.modules |= dict.fromkeys({_ABSENT!r})
from cli import main
main()
"""


def _asked(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    home = Home(folder, "doctor_visits")
    command = [sys.executable, "-c", _COMMAND, *arguments]
    environment = {**home.environment, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def test_the_doctor_looks_at_what_is_there(tmp_path: Path) -> None:
    said = _asked(tmp_path, "doctor").stdout
    assert "ok   use case: doctor_visits: doctor_visit by roc_auc; its rows are not looked at" in said
    assert "port 8082" in said  # to the end


@pytest.mark.parametrize("command", [["train"], ["web"], ["export"], ["predict", "rows.csv"]])
def test_what_needs_more_says_where_it_can_be_done(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a\n1\n")
    run = _asked(tmp_path, *command)
    assert run.returncode == 1
    assert "this installation only serves" in run.stderr and "Traceback" not in run.stderr
