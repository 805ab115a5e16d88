"""The real data sets that some tests read. They are never part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"


class _Data:
    def __truediv__(self, name: str) -> Path:
        """The file of that name. Where it is not there, CI fails; elsewhere the test says it did not run."""
        path = _FOLDER / name
        if not path.exists():
            message = f"NOT TESTED: the data set {name} is not in {_FOLDER}"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message, allow_module_level=True)
        return path


DATA = _Data()
