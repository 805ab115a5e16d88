"""Versions and their stages."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from storage.database import Database
from storage.versions import (
    StageChange,
    UnknownVersion,
    Version,
    add_version,
    champion,
    change_stage,
    history,
    version,
    versions,
)
from tests.storage.rows import USE_CASE

FIRST = Version(
    tag="visits:first",
    use_case=USE_CASE,
    model_tag="visits:m1",
    stage="None",
    created_at_ms=1_000,
    run_id="run 1",
    parent=None,
    data_digest="blake2b:00",
    candidate="random_forest",
    scores_json='{"accuracy": 0.75}',
    as_of="2024-01-31",
)
SECOND = replace(FIRST, tag="visits:second", created_at_ms=2_000, parent=FIRST.tag)


@pytest.fixture
def two_versions(database: Database) -> Database:
    with database.writing() as connection:
        add_version(connection, FIRST)
        add_version(connection, SECOND)
    return database


def test_a_version_comes_back_as_it_was_entered(two_versions: Database) -> None:
    with two_versions.reading() as connection:
        assert version(connection, FIRST.tag) == FIRST
        assert version(connection, "visits:none") is None
        assert versions(connection, USE_CASE) == (SECOND, FIRST)
        assert versions(connection, "other") == ()
        assert champion(connection, USE_CASE) is None


def test_a_promotion_archives_the_champion_and_keeps_the_history(two_versions: Database) -> None:
    with two_versions.writing() as connection:
        change_stage(connection, FIRST.tag, "Production", actor="trainer", reason="first", at_ms=10)
        promoted = change_stage(connection, SECOND.tag, "Production", actor="ana", reason="better", at_ms=20)
    assert promoted == replace(SECOND, stage="Production")
    with two_versions.reading() as connection:
        assert champion(connection, USE_CASE) == promoted
        assert version(connection, FIRST.tag) == replace(FIRST, stage="Archived")
        assert history(connection, USE_CASE) == (
            StageChange(SECOND.tag, USE_CASE, "None", "Production", 20, "ana", "better"),
            StageChange(
                *(FIRST.tag, USE_CASE, "Production", "Archived", 20, "ana"),
                f"{SECOND.tag} took its place: better",
            ),
            StageChange(FIRST.tag, USE_CASE, "None", "Production", 10, "trainer", "first"),
        )


def test_a_rollback_is_a_promotion_of_an_older_version(two_versions: Database) -> None:
    with two_versions.writing() as connection:
        for at_ms, tag in enumerate((FIRST.tag, SECOND.tag, FIRST.tag)):
            change_stage(connection, tag, "Production", actor="ana", reason="swap", at_ms=at_ms)
    with two_versions.reading() as connection:
        standing = champion(connection, USE_CASE)
        assert standing is not None and standing.tag == FIRST.tag
        assert len(history(connection, USE_CASE)) == 5


def test_a_promotion_that_is_rolled_back_leaves_the_champion(two_versions: Database) -> None:
    with two_versions.writing() as connection:
        change_stage(connection, FIRST.tag, "Production", actor="ana", reason="first", at_ms=1)
    with pytest.raises(RuntimeError, match="no worker"), two_versions.writing() as connection:
        change_stage(connection, SECOND.tag, "Production", actor="ana", reason="better", at_ms=2)
        raise RuntimeError("no worker started")
    with two_versions.reading() as connection:
        assert champion(connection, USE_CASE) == replace(FIRST, stage="Production")


def test_promoting_the_champion_again_changes_nothing(two_versions: Database) -> None:
    for at_ms in (1, 2):
        with two_versions.writing() as connection:
            change_stage(connection, FIRST.tag, "Production", actor="ana", reason="first", at_ms=at_ms)
    with two_versions.reading() as connection:
        assert len(history(connection, USE_CASE)) == 1


def test_champions_of_two_use_cases_do_not_touch(two_versions: Database) -> None:
    other = replace(FIRST, tag="churn:first", use_case="churn")
    with two_versions.writing() as connection:
        add_version(connection, other)
        for tag in (FIRST.tag, other.tag):
            change_stage(connection, tag, "Production", actor="ana", reason="first", at_ms=1)
        assert champion(connection, USE_CASE) == replace(FIRST, stage="Production")
        assert champion(connection, "churn") == replace(other, stage="Production")


def test_the_tables_themselves_allow_one_champion_only(two_versions: Database) -> None:
    with pytest.raises(IntegrityError), two_versions.writing() as connection:
        connection.exec_driver_sql("UPDATE versions SET stage = 'Production'")


def test_an_unknown_version_or_stage_is_refused(two_versions: Database) -> None:
    with two_versions.writing() as connection:
        with pytest.raises(UnknownVersion, match="visits:none"):
            change_stage(connection, "visits:none", "Production", actor="ana", reason="", at_ms=1)
        with pytest.raises(ValueError, match="is no stage"):
            change_stage(connection, FIRST.tag, "Retired", actor="ana", reason="", at_ms=1)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="cannot enter as Production"):
            add_version(connection, replace(FIRST, tag="visits:third", stage="Production"))
