"""docs/use_cases.md shows every part of the policy with its default."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from use_cases.schema import Policy

DOCS = Path(__file__).resolve().parents[2] / "docs" / "use_cases.md"


def test_the_documented_policy_is_the_default_one() -> None:
    shown = re.search(r"^policy:.*?(?=^```)", DOCS.read_text(), re.DOTALL | re.MULTILINE)
    assert shown is not None
    documented = yaml.safe_load(shown.group())["policy"]
    assert documented == Policy().model_dump(mode="json")
