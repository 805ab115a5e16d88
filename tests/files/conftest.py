"""The trained Bento's package, and raw rows as a person would have them in a file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from runner.package import Package
from tests.homes import Home
from use_cases.doctor_visits.loader import person_years


@pytest.fixture(scope="session")
def package(trained: Home) -> Package:
    """The package in Production of the trained home."""
    (folder,) = (path.parent for path in trained.var.glob("bentoml/models/small/*/package.json"))
    return Package.open(folder)


@pytest.fixture(scope="session")
def labelled() -> pd.DataFrame:
    """Thirty rows with their target, none of which the model learned from, none with a problem."""
    return person_years(Path()).iloc[3000:3030].reset_index(drop=True)


@pytest.fixture(scope="session")
def unlabelled(labelled: pd.DataFrame) -> pd.DataFrame:
    return labelled.drop(columns="doctor_visit")
