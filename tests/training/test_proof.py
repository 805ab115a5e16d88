"""What becomes of a challenger that was proven better, whatever has happened since it was judged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.automation import pause, suspend_promotion
from storage.database import Database
from storage.promotions import next_promotion, request_promotion, start_promotion
from storage.versions import champion, change_stage, history, mark_files_removed, version
from tests.training.conftest import use_case_of
from tests.training.told import CHALLENGER, CHAMPION, enter, opened
from training.proof import act_on_proof
from use_cases.use_case import UseCase

OTHER = "visits:20240103-000000-cccccccc"
AUTOMATIC = use_case_of()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = opened(tmp_path)
    enter(made, CHAMPION, "Production")
    enter(made, CHALLENGER, "None", parent=CHAMPION)
    enter(made, OTHER, "None", parent=CHAMPION)
    yield made
    made.close()


def act(database: Database, use_case: UseCase = AUTOMATIC) -> str:
    with database.writing() as connection:
        return act_on_proof(connection, use_case, CHALLENGER, "AUC is better", 9)


def stage(database: Database, tag: str = CHALLENGER) -> str:
    with database.reading() as connection:
        found = version(connection, tag)
    assert found is not None
    return found.stage


def asked(database: Database) -> str | None:
    with database.reading() as connection:
        found = next_promotion(connection, "visits")
    return None if found is None else found.tag


def test_a_proven_challenger_is_promoted_where_the_policy_says_automatic(database: Database) -> None:
    assert act(database) == f"it takes the place of {CHAMPION}"
    assert asked(database) == CHALLENGER and stage(database) == "None"
    with database.reading() as connection:
        promotion = next_promotion(connection, "visits")
    assert promotion is not None and (promotion.actor, promotion.reason) == ("judge", "AUC is better")


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("ask", "the policy asks a person"),
        ("suspended", "suspended until `rebento resume`"),
        ("paused", "paused until `rebento resume`"),
        ("champion", f"{OTHER} has come to Production since it was judged against {CHAMPION}"),
        ("person", f"{OTHER} is on its way to Production"),
        ("starting", f"{OTHER} is on its way to Production"),
    ],
)
def test_it_waits_in_staging_with_the_reason(database: Database, why: str, said: str) -> None:
    use_case = use_case_of(policy={"promotion": "ask"}) if why == "ask" else AUTOMATIC
    with database.writing() as connection:
        if why == "suspended":
            suspend_promotion(connection, "visits", actor="person", reason="r", at_ms=2)
        elif why == "paused":
            pause(connection, "visits", actor="person", reason="r", at_ms=2)
        elif why == "champion":
            change_stage(connection, OTHER, "Production", actor="person", reason="r", at_ms=2)
        elif why in ("person", "starting"):
            actor = "person" if why == "person" else "judge"
            promotion = request_promotion(
                connection, "visits", OTHER, kind="promotion", actor=actor, reason="r", at_ms=2
            )
            if why == "starting":
                start_promotion(connection, promotion.promotion_id, 3)
    sentence = act(database, use_case)
    assert said in sentence and f"`rebento promote {CHALLENGER}`" in sentence
    assert stage(database) == "Staging"
    assert asked(database) == (OTHER if why == "person" else None), "a person's wish stands"
    with database.reading() as connection:
        last = history(connection, "visits")[0]
    assert last.actor == "judge" and last.reason.startswith("AUC is better; ") and said in last.reason


def test_a_later_proof_takes_the_place_of_one_that_still_waits(database: Database) -> None:
    with database.writing() as connection:
        act_on_proof(connection, AUTOMATIC, OTHER, "r", 2)
    act(database)
    assert asked(database) == CHALLENGER and stage(database, OTHER) == "None"


def test_one_that_a_person_has_put_in_production_meanwhile_stays_there(database: Database) -> None:
    with database.writing() as connection:
        change_stage(connection, CHALLENGER, "Production", actor="person", reason="r", at_ms=2)
    assert act(database) == "it is in Production by now"
    with database.reading() as connection:
        holder = champion(connection, "visits")
    assert holder is not None and holder.tag == CHALLENGER


def test_one_that_a_person_is_promoting_is_left_to_them(database: Database) -> None:
    with database.writing() as connection:
        request_promotion(
            connection, "visits", CHALLENGER, kind="promotion", actor="person", reason="r", at_ms=2
        )
    assert act(database) == "it is on its way to Production already"
    assert asked(database) == CHALLENGER and stage(database) == "None"


def test_one_whose_files_were_pruned_meanwhile_does_not_break_the_run(database: Database) -> None:
    with database.writing() as connection:
        mark_files_removed(connection, CHALLENGER, 2)
    assert "files were removed" in act(database)
    assert asked(database) is None and stage(database) == "None"
