"""Journeys run on both kinds of database: what they ask for, of either kind."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.databases import KINDS, empty_database
from tests.homes import Home, Server, up


@pytest.fixture(scope="session", params=KINDS)
def database_kind(request: pytest.FixtureRequest) -> str:
    """Each journey that asks for a database runs on both kinds, see `only_on_sqlite` for the others."""
    return str(request.param)


@pytest.fixture(scope="session")
def new_database(database_kind: str, request: pytest.FixtureRequest) -> Callable[[], dict[str, str]]:
    """Gives the settings of an empty database of the kind, for one installation."""
    if database_kind == "sqlite":
        return dict
    postgres = request.getfixturevalue("postgres")
    return lambda: {"REBENTO_DATABASE_URL": empty_database(postgres)}


@pytest.fixture(scope="session")
def homes_by_kind() -> dict[str, Home]:
    return {}


@pytest.fixture(scope="session")
def trained(
    trained: Home,
    database_kind: str,
    new_database: Callable[[], dict[str, str]],
    homes_by_kind: dict[str, Home],
    tmp_path_factory: pytest.TempPathFactory,
) -> Home:
    """An installation with one small Bento in Production. Never serve from it: copy it."""
    if database_kind == "sqlite":
        return trained
    if database_kind not in homes_by_kind:
        home = Home(tmp_path_factory.mktemp("trained"), extra=new_database())
        shutil.copytree(trained.folder / "use_cases", home.folder / "use_cases")
        home.rebento("train")
        homes_by_kind[database_kind] = home
    return homes_by_kind[database_kind]


@pytest.fixture(scope="module")
def server(trained: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`rebento up` with two workers on a copy of the trained home; one a test module."""
    with up(trained.copy(tmp_path_factory.mktemp("served")), workers=2) as running:
        yield running


@pytest.fixture(scope="module")
def two(trained: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two Bentos built one after the other, of models that differ: the second learned turned labels."""
    home = trained.copy(tmp_path_factory.mktemp("two"))
    loader = home.folder / "use_cases" / "small" / "loader.py"
    turned = loader.read_text().replace(
        "return person_years(data).iloc[:2000]",
        'return person_years(data).iloc[:2000].replace({"doctor_visit": {"yes": "no", "no": "yes"}})',
    )
    loader.write_text(turned)
    run = home.rebento("train")
    assert "rebento promote" in run.stdout
    return home
