"""What asks for a training: quality, drift, the schedule; each once, and not while automation rests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.automation import pause, resume
from storage.database import Database
from storage.decisions import (
    StoredDecision,
    decisions,
    find_decision,
    record_decision,
    waiting_decisions,
)
from storage.runs import fail_run, finish_run, request_run, start_run
from tests.training.conftest import use_case_of, visits
from tests.training.told import CHALLENGER, CHAMPION, all_runs, enter, give_contract, opened, tell
from training.triggering import Triggers
from use_cases.use_case import UseCase

NOW = 1_700_000_000_000
HOUR = 3_600_000
USE_CASE = use_case_of(policy={"feedbacks_per_training": 100, "judged_rows": 100})
RIGHT = [("yes", "yes", None), ("no", "no", None)]
WRONG = [("yes", "no", None), ("no", "yes", None), ("no", "no", None)]


class Watch:
    """Triggers of one installation, and looks a minute apart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database: Database = opened(folder)
        self.triggers = Triggers("visits", folder, self.database)
        self.now_ms = NOW

    def look(self, use_case: UseCase = USE_CASE, after_ms: int = 60_000) -> None:
        self.now_ms += after_ms
        self.triggers.look(lambda: use_case, self.now_ms)

    def tell(self, answers: list[tuple[str, str, str | None]], name: str, bento: str = CHAMPION) -> None:
        tell(self.database, USE_CASE, answers, at_ms=self.now_ms, name=name, bento=bento)

    def quality(self) -> list[StoredDecision]:
        with self.database.reading() as connection:
            return list(reversed(decisions(connection, "visits", kind="quality")))

    def asked(self) -> list[str]:
        return [run.trigger for run in all_runs(self.database)]

    def end_a_run(self) -> None:
        with self.database.writing() as connection:
            run = request_run(connection, "visits", trigger="person", reason="r", at_ms=self.now_ms)
            start_run(connection, run.run_id, self.now_ms)
            fail_run(connection, run.run_id, self.now_ms, "a test")


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    made = Watch(tmp_path)
    enter(made.database, CHAMPION, "Production")
    give_contract(tmp_path, USE_CASE, visits(60))
    yield made
    made.database.close()


def test_a_champion_that_the_labels_contradict_asks_for_one_training_every_k_labels(watch: Watch) -> None:
    watch.tell(RIGHT * 60, "right")
    watch.look()
    assert [one.decision for one in watch.quality()] == ["NO_ACTION"] and not watch.asked()

    watch.tell(WRONG * 34, "wrong")
    watch.look()
    last = watch.quality()[-1]
    assert last.decision == "RETRAIN" and "is below its reference 0.900" in last.sentence
    assert json.loads(last.numbers_json)["rows"] == 100
    (run,) = all_runs(watch.database)
    assert (run.trigger, run.reason, last.run_id) == ("quality", last.sentence, run.run_id)

    watch.tell(WRONG * 30, "more")
    watch.look()
    assert watch.asked() == ["quality"], "90 labels later is not k labels later"
    watch.tell(WRONG * 4, "k")
    watch.look()
    assert watch.asked() == ["quality", "quality"]


def test_to_and_fro_at_the_margin_does_not_ask_at_each_turn(watch: Watch) -> None:
    for name, answers in (("a", WRONG * 40), ("b", RIGHT * 48), ("c", WRONG * 1)):
        watch.tell(answers, name)
        watch.look(use_case_of(policy={"feedbacks_per_training": 1_000, "judged_rows": 100}))
    watch.tell(WRONG * 33, "d")
    watch.look(use_case_of(policy={"feedbacks_per_training": 1_000, "judged_rows": 100}))
    assert [one.decision for one in watch.quality()] == ["RETRAIN", "NO_ACTION"]
    assert watch.asked() == ["quality"]


def test_answers_of_an_earlier_version_say_nothing_of_the_champion(watch: Watch) -> None:
    watch.tell(WRONG * 40, "old", bento=CHALLENGER)
    watch.look()
    (only,) = watch.quality()
    assert only.decision == "NO_ACTION" and only.sentence.startswith("NO_ACTION 0 labelled rows are too few")


def test_lost_files_of_the_champion_are_told_and_stop_nothing(watch: Watch) -> None:
    shutil.rmtree(watch.folder / "bentoml")
    watch.tell(WRONG * 40, "wrong")
    with watch.database.writing() as connection:
        record_decision(connection, "visits", kind="drift", decision="RETRAIN", sentence="d", at_ms=NOW)
    watch.look()
    (only,) = watch.quality()
    assert only.decision == "INVESTIGATE" and "contract.json" in only.sentence
    assert watch.asked() == ["drift"]


def test_a_stored_drift_decision_becomes_exactly_one_run(watch: Watch) -> None:
    with watch.database.writing() as connection:
        for decision in ("NO_ACTION", "RETRAIN", "INVESTIGATE", "RETRAIN"):
            record_decision(
                connection,
                "visits",
                kind="drift",
                decision=decision,
                sentence=f"{decision} drift_share=0.4",
                at_ms=NOW,
            )
    for _ in range(3):
        watch.look()
    (run,) = all_runs(watch.database)
    assert (run.trigger, run.reason) == ("drift", "RETRAIN drift_share=0.4")
    with watch.database.reading() as connection:
        assert not waiting_decisions(connection, "visits")
        found = decisions(connection, "visits", kind="drift")
    assert [one.run_id for one in found] == [run.run_id, None, run.run_id, None]


def test_reports_that_repeat_what_they_saw_ask_once_for_each_champion_and_k_labels(watch: Watch) -> None:
    def report(rows: int, champion: str = CHAMPION) -> StoredDecision:
        numbers = json.dumps({"champion": champion, "production_rows": rows})
        with watch.database.writing() as connection:
            told = {"kind": "drift", "decision": "RETRAIN", "numbers_json": numbers, "at_ms": watch.now_ms}
            made = record_decision(connection, "visits", sentence="RETRAIN drift_share=0.4", **told)
        watch.look()
        with watch.database.reading() as connection:
            found = find_decision(connection, made)
        assert found is not None
        return found

    def end(how: str) -> None:
        run_id = all_runs(watch.database)[-1].run_id
        with watch.database.writing() as connection:
            start_run(connection, run_id, watch.now_ms)
            if how == "failed":
                fail_run(connection, run_id, watch.now_ms, "a test")
            else:
                finish_run(connection, run_id, watch.now_ms, bento=None)

    first, again = report(10), report(500)
    assert watch.asked() == ["drift"] and again.run_id == first.run_id, "its run still waits"
    end("built")
    assert report(109).run_id == first.run_id, "99 labels later is not k labels later"
    assert report(110).run_id != first.run_id and watch.asked() == ["drift"] * 2
    end("failed")
    assert watch.asked() == ["drift"] * 2
    report(110)
    assert watch.asked() == ["drift"] * 3, "a run that failed taught nothing"
    end("built")
    report(111)
    report(111, CHALLENGER)
    assert watch.asked() == ["drift"] * 4, "another champion is another question"


def test_a_schedule_asks_once_it_is_due_and_no_other_run_waits(watch: Watch) -> None:
    daily = use_case_of(policy={"schedule_hours": 24})
    watch.look(daily, after_ms=100 * HOUR)
    assert not watch.asked(), "it counts from the first run"
    watch.end_a_run()
    watch.look(daily, after_ms=23 * HOUR)
    assert watch.asked() == ["person"]
    watch.look(daily, after_ms=HOUR)
    watch.look(daily, after_ms=HOUR)
    assert watch.asked() == ["person", "schedule"]
    assert "scheduled every 24" in all_runs(watch.database)[-1].reason


def test_while_automation_is_paused_nothing_asks_and_what_was_decided_is_done_later(watch: Watch) -> None:
    with watch.database.writing() as connection:
        pause(connection, "visits", actor="person", reason="r", at_ms=NOW)
        record_decision(connection, "visits", kind="drift", decision="RETRAIN", sentence="d", at_ms=NOW)
    watch.tell(WRONG * 40, "wrong")
    watch.look()
    watch.look()
    assert not watch.asked()
    told = [(one.decision, one.was_paused) for one in watch.quality()]
    assert told == [("RETRAIN", True)], "an alert goes by it, in a pause as well"
    with watch.database.writing() as connection:
        resume(connection, "visits", actor="person", reason="r", at_ms=NOW)
    watch.look()
    assert watch.asked() == ["quality"], "the newest of the waiting decisions names the run"
    with watch.database.reading() as connection:
        assert not waiting_decisions(connection, "visits")
