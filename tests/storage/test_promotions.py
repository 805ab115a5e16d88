"""Promotions, rollbacks, and who was in Production when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from storage.database import Database
from storage.promotions import (
    Kind,
    NotPromotable,
    Promotion,
    PromotionNotOpen,
    accept_promotion,
    fail_promotion,
    finish_promotion,
    in_production_at,
    next_promotion,
    open_promotions,
    promote_now,
    promotions,
    request_promotion,
    rollback_target,
    start_promotion,
)
from storage.versions import (
    UnknownVersion,
    add_version,
    champion,
    change_stage,
    history,
    mark_files_removed,
    prunable,
    version,
)
from tests.storage.rows import USE_CASE
from tests.storage.test_versions import FIRST

TAGS = [f"visits:{letter}" for letter in "abcdefgh"]
A, B, C, D, *_ = TAGS


@pytest.fixture
def built(database: Database) -> Database:
    """Eight versions, one built after the other."""
    with database.writing() as connection:
        for number, tag in enumerate(TAGS):
            add_version(connection, replace(FIRST, tag=tag, created_at_ms=number))
        add_version(connection, replace(FIRST, tag="other:a", use_case="other"))
    return database


def promote(database: Database, tag: str, at_ms: int, kind: Kind = "promotion") -> None:
    with database.writing() as connection:
        promote_now(connection, USE_CASE, tag, kind=kind, actor="ana", reason="better", at_ms=at_ms)


def ask(database: Database, tag: str, at_ms: int = 1) -> Promotion:
    with database.writing() as connection:
        return request_promotion(
            connection, USE_CASE, tag, kind="promotion", actor="judge", reason="better", at_ms=at_ms
        )


def target(database: Database) -> str | None:
    with database.reading() as connection:
        found = rollback_target(connection, USE_CASE)
        return None if found is None else found.tag


def test_a_promotion_goes_from_request_to_done(built: Database) -> None:
    promote(built, A, 1)
    asked = ask(built, B, 10)
    assert (asked.state, asked.tag, asked.previous) == ("requested", B, None)
    with built.writing() as connection:
        assert next_promotion(connection, USE_CASE) == asked
        assert next_promotion(connection, "other") is None
        assert start_promotion(connection, asked.promotion_id, 11)
        assert not start_promotion(connection, asked.promotion_id, 11)
        assert next_promotion(connection, USE_CASE) is None
        standing = champion(connection, USE_CASE)
        assert standing is not None and standing.tag == A
        accept_promotion(connection, asked.promotion_id, 12)
        standing = champion(connection, USE_CASE)
        assert standing is not None and standing.tag == B
        (under_way,) = open_promotions(connection, USE_CASE)
        assert (under_way.state, under_way.previous) == ("probation", A)
        finish_promotion(connection, asked.promotion_id, 13)
        assert open_promotions(connection, USE_CASE) == ()
        done, first = promotions(connection, USE_CASE)
    assert done == replace(
        asked, state="done", previous=A, started_at_ms=11, accepted_at_ms=12, finished_at_ms=13
    )
    assert (first.tag, first.state, first.previous) == (A, "done", None)


def test_a_later_request_withdraws_the_one_that_has_not_begun(built: Database) -> None:
    first, second = ask(built, A, 1), ask(built, B, 2)
    with built.writing() as connection:
        assert next_promotion(connection, USE_CASE) == second
        assert not start_promotion(connection, first.promotion_id, 3)
        assert [one.state for one in promotions(connection, USE_CASE)] == ["requested", "withdrawn"]
        assert len(promotions(connection, USE_CASE, limit=1)) == 1


def test_what_cannot_be_promoted_is_refused(built: Database) -> None:
    promote(built, A, 1)
    with built.writing() as connection:
        mark_files_removed(connection, C, 2)
    with pytest.raises(NotPromotable, match="is in Production already"):
        ask(built, A)
    with pytest.raises(NotPromotable, match="files of visits:c were removed"):
        ask(built, C)
    for unknown in ("visits:nothing", "other:a"):
        with pytest.raises(UnknownVersion, match="no version of visits is called"):
            ask(built, unknown)
    asked = ask(built, B)
    with built.writing() as connection:
        start_promotion(connection, asked.promotion_id, 2)
    with pytest.raises(NotPromotable, match="is being promoted already"):
        ask(built, B)
    with pytest.raises(UnknownVersion), built.writing() as connection:
        mark_files_removed(connection, "visits:nothing", 2)


def test_a_promotion_that_fails_before_it_answers_changes_no_stage(built: Database) -> None:
    promote(built, A, 1)
    asked = ask(built, B)
    with built.writing() as connection:
        before = history(connection, USE_CASE)
        start_promotion(connection, asked.promotion_id, 2)
        fail_promotion(connection, asked.promotion_id, 3, "no worker was ready in time")
        assert history(connection, USE_CASE) == before
        failed = promotions(connection, USE_CASE)[0]
        assert (failed.state, failed.error) == ("failed", "no worker was ready in time")
        with pytest.raises(PromotionNotOpen, match="is failed, so it cannot be failed"):
            fail_promotion(connection, asked.promotion_id, 3, "again")


def test_a_promotion_that_fails_on_probation_brings_the_former_back(built: Database) -> None:
    promote(built, A, 1)
    asked = ask(built, B)
    with built.writing() as connection:
        start_promotion(connection, asked.promotion_id, 2)
        accept_promotion(connection, asked.promotion_id, 3)
        fail_promotion(connection, asked.promotion_id, 4, "it answered with errors")
        standing, failed = champion(connection, USE_CASE), version(connection, B)
        assert standing is not None and standing.tag == A
        assert failed is not None and failed.stage == "Archived"
        assert "it answered with errors" in history(connection, USE_CASE)[0].reason
    assert target(built) is None  # what failed is nothing to go back to


def test_the_first_promotion_that_fails_leaves_nothing_in_production(built: Database) -> None:
    asked = ask(built, A)
    with built.writing() as connection:
        start_promotion(connection, asked.promotion_id, 2)
        accept_promotion(connection, asked.promotion_id, 3)
        fail_promotion(connection, asked.promotion_id, 4, "it crashed")
        assert champion(connection, USE_CASE) is None
        assert in_production_at(connection, USE_CASE, 3) == A
        assert in_production_at(connection, USE_CASE, 4) is None
    assert target(built) is None


def test_steps_out_of_order_are_refused(built: Database) -> None:
    asked = ask(built, A)
    with built.writing() as connection:
        for step in (accept_promotion, finish_promotion):
            with pytest.raises(PromotionNotOpen, match="is requested"):
                step(connection, asked.promotion_id, 2)
        with pytest.raises(PromotionNotOpen, match="is requested"):
            fail_promotion(connection, asked.promotion_id, 2, "no")
        with pytest.raises(PromotionNotOpen, match="there is no promotion 99"):
            finish_promotion(connection, 99, 2)


def test_a_failure_leaves_a_later_champion_alone(built: Database) -> None:
    asked = ask(built, A)
    with built.writing() as connection:
        start_promotion(connection, asked.promotion_id, 2)
        accept_promotion(connection, asked.promotion_id, 3)
    promote(built, B, 4)
    with built.writing() as connection:
        fail_promotion(connection, asked.promotion_id, 5, "too late")
        standing = champion(connection, USE_CASE)
        assert standing is not None and standing.tag == B


def test_rollbacks_go_further_back_and_not_forth(built: Database) -> None:
    assert target(built) is None
    for at_ms, tag in enumerate((A, B, C)):
        promote(built, tag, at_ms)
    assert target(built) == B
    promote(built, B, 10, kind="rollback")
    assert target(built) == A
    promote(built, A, 11, kind="rollback")
    assert target(built) is None
    promote(built, D, 12)
    assert target(built) == A


def test_a_rollback_undoes_the_promotion_of_an_older_version(built: Database) -> None:
    for at_ms, tag in enumerate((A, B, A)):
        promote(built, tag, at_ms)
    assert target(built) == B
    promote(built, B, 10, kind="rollback")
    assert target(built) == A


def test_a_rollback_passes_over_versions_whose_files_are_gone(built: Database) -> None:
    for at_ms, tag in enumerate((A, B, C)):
        promote(built, tag, at_ms)
    with built.writing() as connection:
        mark_files_removed(connection, B, 10)
    assert target(built) == A


def test_stages_moved_without_a_promotion_can_be_rolled_back_too(built: Database) -> None:
    with built.writing() as connection:
        for at_ms, tag in enumerate((A, B)):
            change_stage(connection, tag, "Production", actor="trainer", reason="first", at_ms=at_ms)
    assert target(built) == A


def test_which_version_answered_at_an_instant(built: Database) -> None:
    for at_ms, tag in ((100, A), (200, B)):
        promote(built, tag, at_ms)
    promote(built, A, 300, kind="rollback")
    with built.reading() as connection:
        answered = [in_production_at(connection, USE_CASE, at_ms) for at_ms in (99, 100, 199, 200, 300, 999)]
        assert in_production_at(connection, "other", 999) is None
    assert answered == [None, A, A, B, A, A]


def _kept(database: Database, keep: int) -> list[str]:
    with database.reading() as connection:
        gone = [one.tag for one in prunable(connection, USE_CASE, keep, at_ms=9)]
    assert gone == sorted(gone)  # oldest first
    return [tag.removeprefix("visits:") for tag in TAGS if tag not in gone]


def test_only_versions_that_nothing_needs_are_prunable(built: Database) -> None:
    assert _kept(built, 3) == ["f", "g", "h"]
    assert _kept(built, 8) == list("abcdefgh")
    for at_ms, tag in enumerate((A, B, C, D)):
        promote(built, tag, at_ms)
    assert _kept(built, 1) == ["b", "c", "d", "h"]  # the champion, two to go back to, the newest
    with built.writing() as connection:
        change_stage(connection, TAGS[4], "Staging", actor="judge", reason="proven", at_ms=9)
    assert _kept(built, 1) == ["b", "c", "d", "e", "h"]
    asked = ask(built, TAGS[5])
    assert _kept(built, 1) == ["b", "c", "d", "e", "f", "h"]
    with built.writing() as connection:
        start_promotion(connection, asked.promotion_id, 9)
    assert _kept(built, 1) == ["b", "c", "d", "e", "f", "h"]


def test_the_champions_parent_and_what_it_was_fine_tuned_from_are_kept(built: Database) -> None:
    with built.writing() as connection:
        for tag, parent, ancestor in (("tuned", B, "visits:between"), ("between", C, A)):
            recipe = f'{{"kind": "fine_tuned", "ancestor": "{ancestor}"}}'
            made = replace(
                FIRST, tag=f"visits:{tag}", parent=parent, recipe_json=recipe, created_at_ms=-len(tag)
            )
            add_version(connection, made)
    promote(built, "visits:tuned", 1)
    assert _kept(built, 1) == ["a", "b", "h"]
    with built.reading() as connection:
        gone = {one.tag for one in prunable(connection, USE_CASE, 1, at_ms=9)}
    assert not {"visits:tuned", "visits:between"} & gone


def test_versions_whose_files_are_gone_are_not_prunable_again(built: Database) -> None:
    with built.writing() as connection:
        mark_files_removed(connection, A, 5)
        assert [one.tag for one in prunable(connection, USE_CASE, 6, at_ms=9)] == [B]
        gone = version(connection, A)
        assert gone is not None and gone.files_removed_at_ms == 5
