"""A use case of real rows that trains in seconds: the first of the doctor visits, one quick candidate."""

from __future__ import annotations

import json
from pathlib import Path

_USE_CASE = """\
source: {{loader: "loader.py:rows"}}
target: doctor_visit
positive: "yes"
id: person
time: year
embedding: {{kind: pca, components: 8}}
candidates: {{logistic_regression: {{}}}}
policy: {policy}
"""
FIRST_ROWS = """\
from use_cases.doctor_visits.loader import person_years


def rows(data):
    return person_years(data).iloc[:2000]
"""


def write_small_use_case(folder: Path, *, loader: str = FIRST_ROWS, **policy: float) -> None:
    """Writes the use case `small` into a folder of use cases. `policy`: its keys that are not as ever."""
    case = folder / "small"
    case.mkdir(parents=True)
    (case / "use_case.yaml").write_text(_USE_CASE.format(policy=json.dumps(policy)))
    (case / "loader.py").write_text(loader)
