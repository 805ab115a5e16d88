"""What the commands do where reports cannot be made, and where Evidently's pages are bound."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from commands.processes import _reporting
from commands.reports import refuse_without_evidently, ui_address, ui_host
from installation import Installation
from loop.refusals import Refusal
from settings import read_settings

HEAVY = ("evidently", "pandas", "sklearn", "scipy", "onnxruntime", "bentoml")


def test_without_the_extra_a_report_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "evidently", None)
    with pytest.raises(Refusal, match=r"pip install 'rebento\[reporting\]'"):
        refuse_without_evidently()


def test_without_the_extra_the_service_goes_on_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    place = Installation.find(read_settings({"REBENTO_HOME": str(tmp_path)}))
    assert [child.name for child in _reporting(place, {})] == ["reporter", "reporting pages"]
    assert capsys.readouterr().out == ""
    monkeypatch.setitem(sys.modules, "evidently", None)
    assert _reporting(place, {}) == []
    assert capsys.readouterr().out.count("rebento[reporting]") == 1


@pytest.mark.parametrize(
    ("host", "bound"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("192.0.2.7", "127.0.0.1"), ("::1", "::1")],
)
def test_pages_without_a_login_stay_on_this_machine(host: str, bound: str, tmp_path: Path) -> None:
    settings = read_settings(
        {"REBENTO_HOME": str(tmp_path), "REBENTO_HOST": host, "REBENTO_API_TOKEN": "t" * 32}
    )
    assert ui_host(settings) == bound
    assert ui_address(settings) == f"http://{f'[{bound}]' if ':' in bound else bound}:8082"


def test_the_reporter_itself_is_light() -> None:
    program = (
        "import sys, reporting.reporter, commands.reports; print(*sys.modules.keys() & set(sys.argv[1:]))"
    )
    ran = subprocess.run([sys.executable, "-c", program, *HEAVY], capture_output=True, text=True, timeout=240)
    assert (ran.returncode, ran.stdout.strip()) == (0, ""), ran.stderr
