"""What a report may be asked."""

from __future__ import annotations

import doctest
import json

import pytest

import reporting.asked
from reporting.asked import Asked, NotAskable


def test_the_examples_in_its_docstring_are_true() -> None:
    assert doctest.testmod(reporting.asked).attempted and doctest.testmod(reporting.asked).failed == 0


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({"last_rows": 1_000_000}, "drift_reference_vs_last_1000000_rows_1970-01-01T000000"),
        ({"last_days": 0.5}, "drift_reference_vs_last_0.5_days_1970-01-01T000000"),
        ({"last_days": 1}, "drift_reference_vs_last_day_1970-01-01T000000"),
        ({"from": "2026-11-01", "to": "2026-11-01"}, "drift_reference_vs_2026-11-01_to_2026-11-01"),
        ({"current": "2024-02-29"}, "drift_reference_vs_2024-02-29"),
        ({"reference": "2024-01-31", "last_rows": 5}, "drift_2024-01-31_vs_last_5_rows_1970-01-01T000000"),
        ({"reference": "2024-01-31"}, "drift_2024-01-31_vs_last_70_rows_1970-01-01T000000"),
    ],
)
def test_a_name_says_what_was_compared(asked: dict[str, object], name: str) -> None:
    assert Asked.parse(json.dumps(asked), 70).name(0) == name


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"last_rows": 0}, "last rows must be a number above 0, not 0"),
        ({"last_rows": 1.5}, "must be a whole number"),
        ({"last_rows": True}, "must be a number above 0"),
        ({"last_rows": "many"}, "must be a number above 0, not many"),
        ({"last_days": -1}, "last days must be a number above 0"),
        ({"last_days": 1e300}, "must be a number above 0"),
        ({"last_rows": 1, "last_days": 1}, "one window at a time"),
        ({"current": "2024-01-31", "from": "2024-01-01", "to": "2024-01-02"}, "one window at a time"),
        ({"from": "2024-01-01"}, "needs both"),
        ({"from": "2024-02-01", "to": "2024-01-31"}, "before it begins"),
        ({"current": "yesterday"}, "yesterday is no date"),
        ({"rows": 3}, "knows no rows"),
    ],
)
def test_what_means_nothing_is_refused(asked: dict[str, object], sentence: str) -> None:
    with pytest.raises(NotAskable, match=sentence):
        Asked.parse(json.dumps(asked), 70)
