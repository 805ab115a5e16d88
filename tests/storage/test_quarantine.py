"""Quarantine: what takes no part until a person decides, and what history says of it."""

from __future__ import annotations

import pytest

from storage.counters import production_rows
from storage.database import Database
from storage.feedback import record_feedback
from storage.quarantine import (
    NotSuspended,
    discard_rows,
    discard_source,
    quarantine_rows,
    quarantined,
    release_rows,
    release_source,
    suspend_source,
    suspended_sources,
)
from storage.retention import erase_entity, prune_unlabelled
from storage.runs import runs
from tests.storage.rows import USE_CASE, labelled, log, prediction, settled, tell, truth


def suspend(database: Database, source: str = "bad", *, at_ms: int = 5_000, since_ms: int = 0) -> int:
    with database.writing() as connection:
        return suspend_source(
            connection, USE_CASE, source, reason="disagrees", at_ms=at_ms, since_ms=since_ms
        )


def release(
    database: Database, source: str = "bad", *, k: int = 1_000, at_ms: int = 9_000
) -> tuple[int, str | None]:
    with database.writing() as connection:
        return release_source(connection, USE_CASE, source, actor="ana", k=k, at_ms=at_ms)


def discard(database: Database, source: str = "bad", *, at_ms: int = 9_000) -> int:
    with database.writing() as connection:
        return discard_source(connection, USE_CASE, source, actor="ana", at_ms=at_ms)


def names(database: Database, as_of_ms: int | None = None) -> list[str]:
    return [name for name, _, _ in labelled(database, as_of_ms)]


def counted(database: Database) -> int:
    with database.reading() as connection:
        return production_rows(connection, USE_CASE)


def test_a_suspension_sets_aside_its_rows_known_since_and_no_others(database: Database) -> None:
    log(database, "early", "late", "other")
    tell(database, truth("early", source="bad", at_ms=1_000))
    tell(database, truth("late", source="bad", at_ms=3_000), truth("other", source="good", at_ms=3_000))
    assert suspend(database, since_ms=2_000) == 1
    assert names(database) == ["early", "other"]
    with database.reading() as connection:
        (row,) = quarantined(connection, USE_CASE, 10)
        (source,) = suspended_sources(connection, USE_CASE)
    assert (row.prediction_id, row.predicted, row.target, row.source) == ("late", "yes", "yes", "bad")
    assert (row.reason, row.is_held, row.of_suspension) == ("disagrees", False, True)
    assert (source.source, source.since_ms, source.rows) == ("bad", 2_000, 1)


def test_what_is_set_aside_together_is_listed_newest_first(database: Database) -> None:
    log(database, "a", "b")
    for name, target in (("a", "yes"), ("b", "yes"), ("a", "no")):
        tell(database, truth(name, target, source="bad", at_ms=1_000))
    assert suspend(database) == 3
    with database.reading() as connection:
        assert [row.feedback_id for row in quarantined(connection, USE_CASE)] == [3, 2, 1]


def test_what_a_suspended_source_sends_is_accepted_and_takes_no_part(database: Database) -> None:
    log(database, "a", "b")
    suspend(database)
    receipt = tell(
        database,
        truth("a", source="bad", at_ms=6_000),
        truth("b", source="good", at_ms=6_000),
        truth("not logged", source="bad", at_ms=6_000),
        k=1,
    )
    assert (receipt.accepted, receipt.pending, receipt.production_rows) == (3, 0, 1)
    assert names(database) == ["b"]
    log(database, "not logged")
    assert names(database) == ["b"] and counted(database) == 1
    with database.reading() as connection:
        assert [row.is_held for row in quarantined(connection, USE_CASE)] == [True, True]
        assert len(runs(connection, USE_CASE)) == 1


def test_a_whole_row_of_a_suspended_source_waits_with_its_answer(database: Database) -> None:
    suspend(database)
    whole = truth("a", source="bad", key="one", whole=prediction("a"), at_ms=6_000)
    assert tell(database, whole).production_rows == 0
    assert tell(database, whole).accepted == 1  # the key is known
    assert release(database) == (1, None)
    assert labelled(database) == [("a", "yes", 9_000)] and counted(database) == 1


def test_other_use_cases_know_nothing_of_a_suspension(database: Database) -> None:
    suspend(database)
    with database.writing() as connection:
        whole = truth("a", source="bad", whole=prediction("a", use_case="other"))
        assert record_feedback(connection, "other", [whole], 10).production_rows == 1


def test_a_release_counts_exactly_once_and_asks_for_each_run(database: Database) -> None:
    log(database, *(f"row-{number}" for number in range(25)))
    tell(database, *(truth(f"row-{number}", source="bad", at_ms=1_000) for number in range(5)), k=10)
    suspend(database)
    tell(database, *(truth(f"row-{number}", source="bad", at_ms=6_000) for number in range(3, 25)), k=10)
    assert counted(database) == 5 and names(database) == []
    rows, asked = release(database, k=10)
    assert rows == 27 and asked is not None
    assert counted(database) == 25 and len(names(database)) == 25
    with database.reading() as connection:
        assert {run.reason for run in runs(connection, USE_CASE)} == {
            "10 labelled production rows, a multiple of 10",
            "20 labelled production rows, a multiple of 10",
        }
        assert quarantined(connection, USE_CASE) == () and suspended_sources(connection, USE_CASE) == ()
    with pytest.raises(NotSuspended, match="no feedback of 'bad' is held back"):
        release(database)
    assert counted(database) == 25
    assert tell(database, truth("row-1", "no", source="bad", at_ms=9_500)).production_rows == 25
    assert ("row-1", "no", 9_500) in labelled(database)


def test_a_released_row_without_its_prediction_waits_for_it_and_then_counts(database: Database) -> None:
    tell(database, truth("a", source="bad", at_ms=1_000))
    assert suspend(database) == 1
    log(database, "a")
    tell(database, truth("b", source="bad", at_ms=6_000))
    assert release(database)[0] == 2
    assert labelled(database) == [("a", "yes", 9_000)] and counted(database) == 1
    log(database, "b", at_ms=10_000)
    assert names(database) == ["a", "b"] and counted(database) == 2


def test_discarded_rows_never_take_part_and_the_source_may_send_again(database: Database) -> None:
    log(database, "a", "b", "c")
    tell(database, truth("a", source="bad", at_ms=1_000))
    suspend(database)
    tell(database, truth("b", source="bad", at_ms=6_000))
    assert discard(database) == 2
    tell(database, truth("c", source="bad", at_ms=10_000))
    assert names(database) == ["c"] and counted(database) == 2
    assert suspend(database, at_ms=11_000) == 1  # c alone
    assert release(database, at_ms=12_000)[0] == 1
    assert names(database) == ["c"]
    with pytest.raises(NotSuspended):
        discard(database)


def test_history_shows_what_took_part_at_each_instant(database: Database) -> None:
    log(database, "counted", "held", "good")
    tell(database, truth("counted", source="bad", at_ms=1_000), truth("good", source="good", at_ms=1_000))
    suspend(database, at_ms=5_000)
    tell(database, truth("held", source="bad", at_ms=6_000))
    release(database, at_ms=9_000)
    everything = [("counted", "yes", 1_000), ("good", "yes", 1_000), ("held", "yes", 9_000)]
    for as_of_ms, there in (
        (999, []),
        (1_000, ["counted", "good"]),
        (4_999, ["counted", "good"]),
        (5_000, ["good"]),
        (8_999, ["good"]),
        (9_000, ["counted", "good", "held"]),
    ):
        assert labelled(database, as_of_ms) == [row for row in everything if row[0] in there]
    suspend(database, at_ms=10_000)
    discard(database, at_ms=11_000)
    assert names(database) == names(database, 10_000) == names(database, 20_000) == ["good"]
    assert names(database, 9_999) == ["counted", "good", "held"]


def test_a_suspended_source_supersedes_nothing_until_it_is_released(database: Database) -> None:
    log(database, "a")
    tell(database, truth("a", "yes", source="good", at_ms=1_000))
    suspend(database)
    tell(database, truth("a", "no", source="bad", at_ms=6_000))
    assert labelled(database) == [("a", "yes", 1_000)]
    release(database, at_ms=9_000)
    assert labelled(database) == [("a", "no", 9_000)]
    assert labelled(database, 8_999) == [("a", "yes", 1_000)]
    assert counted(database) == 1


@pytest.mark.parametrize("stored_first", [True, False])
def test_the_later_feedback_wins_also_when_the_earlier_is_released_after_it(
    database: Database, stored_first: bool
) -> None:
    if stored_first:
        log(database, "a")
    suspend(database)
    tell(database, truth("a", "no", source="bad", at_ms=6_000))
    tell(database, truth("a", "yes", source="good", at_ms=7_000))
    log(database, "a", at_ms=7_500)
    known = 7_000 if stored_first else 7_500
    assert labelled(database) == [("a", "yes", known)]
    release(database, at_ms=9_000)
    assert labelled(database) == [("a", "yes", known)] and counted(database) == 1


def test_within_one_batch_the_order_decides_also_after_a_release(database: Database) -> None:
    log(database, "a", "b")
    suspend(database)
    tell(
        database,
        truth("a", "no", source="bad", at_ms=6_000),
        truth("a", "yes", source="good", at_ms=6_000),
        truth("b", "yes", source="good", at_ms=6_000),
        truth("b", "no", source="bad", at_ms=6_000),
    )
    assert {(name, target) for name, target, _ in labelled(database)} == {("a", "yes"), ("b", "yes")}
    release(database)
    assert {(name, target) for name, target, _ in labelled(database)} == {("a", "yes"), ("b", "no")}


def test_a_correction_of_a_quarantined_row_takes_part_and_stays_when_that_is_released(
    database: Database,
) -> None:
    log(database, "a")
    tell(database, truth("a", "no", source="bad", at_ms=1_000))
    suspend(database)
    tell(database, truth("a", "yes", source="good", at_ms=6_000))
    assert labelled(database, 5_999) == []
    assert labelled(database) == [("a", "yes", 6_000)]
    release(database)
    assert labelled(database) == [("a", "yes", 6_000)]
    assert labelled(database, 4_999) == [("a", "no", 1_000)]


def test_a_quarantined_correction_gives_way_to_what_it_corrected(database: Database) -> None:
    log(database, "a")
    tell(database, truth("a", "yes", source="good", at_ms=1_000))
    tell(database, truth("a", "no", source="bad", at_ms=2_000))
    suspend(database)
    assert labelled(database) == [("a", "yes", 1_000)]
    assert labelled(database, 4_999) == [("a", "no", 2_000)]


def test_single_rows_are_set_aside_released_and_discarded(database: Database) -> None:
    log(database, "a", "b", "c")
    tell(database, *(truth(name, at_ms=1_000) for name in "abc"))
    with database.writing() as connection:
        assert quarantine_rows(connection, USE_CASE, [1, 2], reason="twins", at_ms=5_000) == 2
        assert quarantine_rows(connection, USE_CASE, [2], reason="again", at_ms=6_000) == 0
        rows = {row.prediction_id: row for row in quarantined(connection, USE_CASE, 10)}
        assert [row.prediction_id for row in quarantined(connection, USE_CASE, 1)] == ["b"]
    assert not rows["a"].of_suspension and rows["a"].reason == "twins"
    assert names(database) == ["c"]
    with database.writing() as connection:
        ids = [rows["a"].quarantine_id]
        assert release_rows(connection, USE_CASE, ids, actor="ana", k=10, at_ms=8_000) == (1, None)
        assert release_rows(connection, USE_CASE, ids, actor="ana", k=10, at_ms=8_000) == (0, None)
        assert discard_rows(connection, USE_CASE, [rows["b"].quarantine_id], actor="ana", at_ms=8_000) == 1
        assert release_rows(
            connection, USE_CASE, [rows["b"].quarantine_id], actor="ana", k=10, at_ms=9_000
        ) == (0, None)
    assert names(database) == ["a", "c"] and counted(database) == 3


def test_a_quarantine_told_late_does_not_change_a_settled_instant(database: Database) -> None:
    log(database, "a", "b")
    tell(database, truth("a", source="bad", at_ms=5_000))
    instant = settled(database)
    suspend(database, at_ms=4_000)  # by a clock that is behind
    assert names(database, instant) == ["a"] and names(database) == []
    again = settled(database)
    release(database, at_ms=4_000)
    assert names(database, again) == [] and names(database) == ["a"]


def test_erasing_a_person_erases_what_is_quarantined_of_them(database: Database) -> None:
    suspend(database)
    whole = [prediction("a", entity_id="7"), prediction("b", entity_id="8")]
    tell(database, *(truth(row.prediction_id, source="bad", at_ms=6_000, whole=row) for row in whole))
    with database.writing() as connection:
        assert erase_entity(connection, USE_CASE, "7").feedback == 1
        assert [row.prediction_id for row in quarantined(connection, USE_CASE, 10)] == ["b"]
        assert connection.exec_driver_sql("SELECT count(*) FROM quarantine").scalar() == 1
    assert release(database)[0] == 1


def test_pruning_spares_what_waits_in_quarantine_until_it_is_discarded(database: Database) -> None:
    log(database, "a", "b")
    suspend(database)
    tell(database, truth("a", source="bad", at_ms=6_000))
    with database.writing() as connection:
        assert prune_unlabelled(connection, USE_CASE, older_than_ms=5_000) == 1
    discard(database)
    with database.writing() as connection:
        assert prune_unlabelled(connection, USE_CASE, older_than_ms=5_000) == 1
