"""Verdicts and the looks they count."""

from __future__ import annotations

from dataclasses import replace

from storage.database import Database
from storage.verdicts import StoredVerdict, add_verdicts, looks_at, verdicts_of_run
from tests.storage.rows import USE_CASE

BETTER = StoredVerdict(
    run_id="run 1",
    use_case=USE_CASE,
    champion="visits:a",
    challenger="fresh",
    bento="visits:b",
    decision="promote",
    difference=0.03,
    low=0.01,
    high=0.05,
    rows=400,
    look=1,
    alpha=0.025,
    labels_wanted=None,
    reason="auc is 0.03 higher",
    scores_json='{"champion": {}}',
    policy_json="{}",
    at_ms=1_000,
)
UNSURE = replace(
    BETTER, challenger="recent", bento=None, decision="more labels", low=None, high=None, labels_wanted=300
)


def test_verdicts_come_back_as_they_were_entered_best_first(database: Database) -> None:
    with database.writing() as connection:
        add_verdicts(connection, [BETTER, UNSURE])
        add_verdicts(connection, [replace(BETTER, run_id="run 2")])
        add_verdicts(connection, [])
        assert verdicts_of_run(connection, "run 1") == (BETTER, UNSURE)
        assert verdicts_of_run(connection, "run 3") == ()


def test_a_look_is_a_run_that_compared_on_one_row_at_least(database: Database) -> None:
    with database.writing() as connection:
        assert looks_at(connection, USE_CASE, "visits:a") == 0
        add_verdicts(connection, [BETTER, UNSURE])
        add_verdicts(connection, [replace(BETTER, run_id="run 2")])
        add_verdicts(connection, [replace(UNSURE, run_id="run 3", rows=0)])
        add_verdicts(connection, [replace(BETTER, run_id="run 4", champion="visits:b")])
        add_verdicts(connection, [replace(BETTER, run_id="run 5", use_case="other")])
        assert looks_at(connection, USE_CASE, "visits:a") == 2
        assert looks_at(connection, USE_CASE, "visits:b") == 1
