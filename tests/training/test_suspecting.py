"""Feedback that looks wrong waits for a person; what a person released is trusted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from loop.suspicion import Suspicion
from storage.database import Database
from storage.decisions import decisions
from storage.labelled import labelled_rows, settled_instant
from storage.quarantine import discard_source, quarantined, release_source, suspended_sources
from storage.versions import champion
from tests.training.conftest import use_case_of
from tests.training.told import CHAMPION, all_runs, enter, opened, tell
from training.suspecting import look_for_suspects

NOW = 1_700_000_000_000
USE_CASE = use_case_of(policy={"recent_rows": 2_000})
SOURCES = ("a", "b", "c", "d", "poisoned")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = opened(tmp_path)
    enter(made, CHAMPION, "Production", accuracy=0.9)
    yield made
    made.close()


def answers(rows: int, wrong: dict[str, float], seed: int = 0) -> list[tuple[str, str, str | None]]:
    """Answers that the sources contradict each at its own rate; one in ten otherwise."""
    generator = np.random.default_rng(seed)
    said = generator.choice(["yes", "no"], rows)
    turned = generator.random(rows)
    told: list[tuple[str, str, str | None]] = []
    for place, label in enumerate(said.tolist()):
        source = SOURCES[place % len(SOURCES)]
        is_wrong = turned[place] < wrong.get(source, 0.1)
        told.append((label, {"yes": "no", "no": "yes"}[label] if is_wrong else label, source))
    return told


def look(database: Database, at_ms: int = NOW + 9_000_000) -> Suspicion:
    with database.reading() as connection:
        holder = champion(connection, "visits")
    assert holder is not None
    return look_for_suspects(database, USE_CASE, holder, at_ms)


def sources_known(database: Database) -> dict[str | None, int]:
    """Labelled rows by source, as a run would learn from them now."""
    with database.writing() as connection:
        instant = settled_instant(connection, "visits")
        rows = [row.source for row in labelled_rows(connection, "visits", as_of_ms=instant)]
    return {source: rows.count(source) for source in sorted(set(rows))}


def suspicions(database: Database) -> list[tuple[str, str]]:
    with database.reading() as connection:
        found = decisions(connection, "visits", kind="suspicion")
    return [(one.decision, one.sentence) for one in reversed(found)]


@pytest.fixture
def poisoned(database: Database) -> Database:
    """Two hundred calm rows, then two hundred of which one source's are turned, and one look."""
    tell(database, USE_CASE, answers(200, {}), at_ms=NOW, name="calm")
    tell(database, USE_CASE, answers(200, {"poisoned": 0.9}, 1), at_ms=NOW + 1_000_000, name="turned")
    look(database)
    return database


def test_one_poisoned_source_of_five_takes_no_part_until_a_person_has_looked(poisoned: Database) -> None:
    with poisoned.reading() as connection:
        (suspended,) = suspended_sources(connection, "visits")
    assert suspended.source == "poisoned" and "contradict the champion" in suspended.reason
    ((decision, sentence),) = suspicions(poisoned)
    assert decision == "INVESTIGATE" and sentence.startswith("INVESTIGATE poisoned: ")
    known = sources_known(poisoned)
    assert {known[name] for name in "abcd"} == {80}
    assert 30 <= known["poisoned"] <= 45, "its rows from before stay"

    tell(poisoned, USE_CASE, answers(50, {}, 2), at_ms=NOW + 2_000_000, name="later")
    look(poisoned)
    later = sources_known(poisoned)
    assert later["a"] == 90 and later["poisoned"] == known["poisoned"], "what it sends later is held too"
    assert [decision for decision, _ in suspicions(poisoned)] == ["INVESTIGATE", "NO_ACTION"]


def test_released_rows_count_once_and_are_not_suspected_again(poisoned: Database) -> None:
    tell(poisoned, USE_CASE, answers(50, {}, 2), at_ms=NOW + 2_000_000, name="later", k=220)
    with poisoned.writing() as connection:
        held = len(quarantined(connection, "visits", 1_000))
        rows, run = release_source(
            connection, "visits", "poisoned", actor="person", k=450, at_ms=NOW + 3_000_000
        )
    assert rows == held and run is not None, "the ten held rows complete the 450"
    look(poisoned, NOW + 4_000_000)
    with poisoned.reading() as connection:
        assert not suspended_sources(connection, "visits") and not quarantined(connection, "visits")
    assert set(sources_known(poisoned).values()) == {90}
    feedback = [run for run in all_runs(poisoned) if "450" in run.reason]
    assert len(feedback) == 1


def test_discarded_rows_never_take_part_and_what_comes_later_does(poisoned: Database) -> None:
    before = sources_known(poisoned)["poisoned"]
    with poisoned.writing() as connection:
        assert discard_source(connection, "visits", "poisoned", actor="person", at_ms=NOW + 3_000_000) > 20
    tell(poisoned, USE_CASE, answers(50, {}, 3), at_ms=NOW + 3_000_001, name="later")
    look(poisoned)
    assert sources_known(poisoned)["poisoned"] == before + 10
    with poisoned.reading() as connection:
        assert not suspended_sources(connection, "visits") and not quarantined(connection, "visits")


def test_a_released_source_that_goes_on_so_is_suspended_again(poisoned: Database) -> None:
    with poisoned.writing() as connection:
        release_source(connection, "visits", "poisoned", actor="person", k=10**9, at_ms=NOW + 3_000_000)
    tell(poisoned, USE_CASE, answers(150, {"poisoned": 0.9}, 4), at_ms=NOW + 3_000_001, name="again")
    look(poisoned)
    with poisoned.reading() as connection:
        assert [one.source for one in suspended_sources(connection, "visits")] == ["poisoned"]


def test_everybody_contradicting_is_change_and_nothing_is_held(database: Database) -> None:
    tell(database, USE_CASE, answers(300, dict.fromkeys(SOURCES, 0.7)), at_ms=NOW)
    look(database)
    look(database)
    ((decision, sentence),) = suspicions(database)
    assert decision == "INVESTIGATE" and "change, not poison" in sentence
    assert sources_known(database) == dict.fromkeys(sorted(SOURCES), 60)


@pytest.mark.parametrize("source", ["only", None])
def test_a_single_or_unknown_source_is_never_held_for_its_share(
    database: Database, source: str | None
) -> None:
    told = [(label, target, source) for label, target, _ in answers(300, dict.fromkeys(SOURCES, 0.9))]
    tell(database, USE_CASE, told, at_ms=NOW)
    look(database)
    ((decision, sentence),) = suspicions(database)
    assert decision == "INVESTIGATE" and "the labels contradict the champion" in sentence
    assert sources_known(database) == {source: 300}
