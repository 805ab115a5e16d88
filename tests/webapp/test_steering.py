"""What a person changes from the pages is what was agreed to, and is kept with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from loop.refusals import Refusal
from loop.triggers import may_start
from storage.automation import automation
from storage.database import Database
from storage.processes import beat
from storage.promotions import NotPromotable, next_promotion
from storage.runs import Run, fail_run, run
from storage.versions import UnknownVersion, Version, add_version, champion, change_stage, history
from storage.versions import version as find_version
from webapp import steering
from webapp.waiting import Circumstances, queue

CASE = "small"
AT_MS = 1_767_225_600_000


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def connection(home: Path) -> Iterator[Connection]:
    """Three versions with files: the third in Production after the second after the first."""
    database = Database.open(f"sqlite:///{home / 'rebento.sqlite'}")
    database.migrate()
    with database.writing() as opened:
        for place in (1, 2, 3):
            stored(opened, home, f"{CASE}:{place}", AT_MS + place)
        for place in (1, 2, 3):
            instead = "" if place == 1 else f"{CASE}:{place - 1}"
            steering.promote(
                opened, CASE, home, f"{CASE}:{place}", instead_of=instead, reason="", at_ms=AT_MS + 10 * place
            )
        yield opened
    database.close()


def stored(connection: Connection, home: Path, tag: str, at_ms: int, scores: str = "{}") -> None:
    """A version, with the folder that a served Bento has."""
    use_case, _, number = tag.partition(":")
    (home / "bentoml" / "bentos" / use_case / number / "src").mkdir(parents=True, exist_ok=True)
    add_version(
        connection,
        Version(tag, use_case, tag, "None", at_ms, None, None, "0123456789abcdef", "sgd", scores, None),
    )


def test_without_a_supervisor_a_promotion_is_done_at_once(connection: Connection, home: Path) -> None:
    done = steering.promote(
        connection, CASE, home, "small:1", instead_of="small:3", reason=" it was\nbetter ", at_ms=AT_MS + 99
    )
    assert (done.state, done.actor, done.reason) == ("done", "person", "it was better")
    standing = champion(connection, CASE)
    assert standing is not None and standing.tag == "small:1"


def test_a_supervisor_is_asked_where_one_is(connection: Connection, home: Path) -> None:
    beat(connection, CASE, "supervisor", pid=1, host="h", started_at_ms=1, at_ms=AT_MS + 99)
    asked = steering.promote(
        connection, CASE, home, "small:1", instead_of="small:3", reason="", at_ms=AT_MS + 99
    )
    assert asked.state == "requested" and next_promotion(connection, CASE) == asked
    standing = champion(connection, CASE)
    assert standing is not None and standing.tag == "small:3"


def test_what_was_not_agreed_to_is_not_done(connection: Connection, home: Path) -> None:
    with pytest.raises(steering.ChangedMeanwhile, match="small:3 is in Production by now"):
        steering.promote(connection, CASE, home, "small:1", instead_of="small:2", reason="", at_ms=AT_MS)
    with pytest.raises(steering.ChangedMeanwhile, match="go back to is small:2"):
        steering.roll_back(connection, CASE, home, "small:1", instead_of="small:3", reason="", at_ms=AT_MS)
    assert not automation(connection, CASE).promotion_is_suspended


def test_a_version_without_files_or_of_another_use_case_is_refused(
    connection: Connection, home: Path
) -> None:
    (home / "bentoml" / "bentos" / CASE / "1" / "src").rmdir()
    stored(connection, home, "other:1", AT_MS)
    with pytest.raises(NotPromotable, match=r"files of small:1 are gone"):
        steering.promote(connection, CASE, home, "small:1", instead_of="small:3", reason="", at_ms=AT_MS)
    with pytest.raises(UnknownVersion):
        steering.promote(connection, CASE, home, "other:1", instead_of="small:3", reason="", at_ms=AT_MS)


def test_a_rollback_goes_back_and_suspends_promotion_until_somebody_resumes(
    connection: Connection, home: Path
) -> None:
    steering.roll_back(
        connection, CASE, home, "small:2", instead_of="small:3", reason="worse", at_ms=AT_MS + 99
    )
    standing = champion(connection, CASE)
    assert standing is not None and standing.tag == "small:2"
    assert automation(connection, CASE).promotion_is_suspended
    assert history(connection, CASE)[0].reason == "worse"
    steering.resume(connection, CASE, reason="", at_ms=AT_MS + 100)
    assert not automation(connection, CASE).promotion_is_suspended


def test_the_first_version_has_nothing_to_go_back_to(connection: Connection, home: Path) -> None:
    stored(connection, home, "lone:1", AT_MS)
    change_stage(connection, "lone:1", "Production", actor="t", reason="t", at_ms=AT_MS)
    with pytest.raises(NotPromotable, match="no earlier version"):
        steering.roll_back(connection, "lone", home, "", instead_of="lone:1", reason="", at_ms=AT_MS)


def test_what_answers_or_is_about_to_is_not_archived(connection: Connection, home: Path) -> None:
    with pytest.raises(steering.NotArchivable, match="is in Production"):
        steering.archive(connection, CASE, "small:3", reason="", at_ms=AT_MS)
    stored(connection, home, "small:4", AT_MS)
    beat(connection, CASE, "supervisor", pid=1, host="h", started_at_ms=1, at_ms=AT_MS)
    steering.promote(connection, CASE, home, "small:4", instead_of="small:3", reason="", at_ms=AT_MS)
    with pytest.raises(steering.NotArchivable, match="under way"):
        steering.archive(connection, CASE, "small:4", reason="", at_ms=AT_MS)
    stored(connection, home, "small:5", AT_MS)
    steering.archive(connection, CASE, "small:5", reason="no use", at_ms=AT_MS)
    found = find_version(connection, "small:5")
    assert found is not None and found.stage == "Archived"


def test_a_day_to_train_as_of_must_be_one_and_have_come(connection: Connection) -> None:
    asked = steering.train(connection, CASE, as_of="2025-12-31", reason="", at_ms=AT_MS)
    assert (asked.as_of, asked.trigger) == ("2025-12-31", "person")
    assert steering.train(connection, CASE, as_of=" ", reason="", at_ms=AT_MS).as_of is None
    for wrong, said in (("2026-13-01", "is no day"), ("2026-01-02", "has not come yet")):
        with pytest.raises(steering.AsOfRefused, match=said):
            steering.train(connection, CASE, as_of=wrong, reason="", at_ms=AT_MS)


def test_only_a_run_that_is_over_is_done_again_as_of_the_same_day(connection: Connection) -> None:
    first = steering.train(connection, CASE, as_of="2025-12-31", reason="", at_ms=AT_MS)
    with pytest.raises(steering.NotRetried):
        steering.retry(connection, CASE, first.run_id, at_ms=AT_MS)
    fail_run(connection, first.run_id, AT_MS, "no rows")
    again = steering.retry(connection, CASE, first.run_id, at_ms=AT_MS + 1)
    kept = run(connection, again.run_id)
    assert kept is not None and (kept.as_of, kept.state) == ("2025-12-31", "requested")
    assert first.run_id in kept.reason
    for unknown in ("nothing", again.run_id):
        with pytest.raises(Refusal):
            steering.retry(connection, "other", unknown, at_ms=AT_MS)


def _run(run_id: str, trigger: str) -> Run:
    return Run(run_id, CASE, "requested", trigger, "r", AT_MS)


CALM = Circumstances(True, False, False, False, None, 1.0, AT_MS)


def test_a_persons_run_comes_first_and_of_the_others_only_the_newest() -> None:
    waiting = [_run("a", "feedback"), _run("b", "person"), _run("c", "drift"), _run("d", "person")]
    assert [(one.run.run_id, one.cause) for one in queue(waiting, CALM)] == [
        ("b", "soon"),
        ("d", "turn"),
        ("c", "turn"),
        ("a", "newer"),
    ]


@pytest.mark.parametrize("trigger", ["person", "feedback"])
@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.parametrize("is_paused", [True, False])
@pytest.mark.parametrize("ended_ago_ms", [None, 30_000, 90_000])
def test_the_queue_says_what_the_trainer_would(
    trigger: str, is_running: bool, is_paused: bool, ended_ago_ms: int | None
) -> None:
    ended = None if ended_ago_ms is None else AT_MS - ended_ago_ms
    starts, _ = may_start(
        trigger,
        is_paused=is_paused,
        is_running=is_running,
        last_ended_at_ms=ended,
        cooldown_minutes=1.0,
        now_ms=AT_MS,
    )
    around = Circumstances(True, is_running, is_paused, False, ended, 1.0, AT_MS)
    (one,) = queue([_run("a", trigger)], around)
    assert (one.cause == "soon") is starts
