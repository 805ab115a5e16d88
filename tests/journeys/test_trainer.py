"""The trainer as a process: queues, kills, stops, and what a person sees of suspicion and verification."""

from __future__ import annotations

import json
import shutil
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from storage.labelled import labelled_rows, settled_instant
from storage.verdicts import verdicts_of_run
from tests.databases import only_on_sqlite
from tests.homes import Home, wait_for
from tests.journeys.command_line import refused
from tests.journeys.trainers import (
    Gate,
    all_runs,
    ask,
    assert_nothing_is_half_done,
    builds,
    log,
    set_policy,
    started,
    state,
    store,
    stored,
    with_held_builds,
)
from tests.processes import is_there
from tests.training.told import tell
from use_cases.use_case import read_use_case

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
Row = dict[str, Any]


def test_two_trainers_share_a_queue_one_run_at_a_time(trained: Home, tmp_path: Path) -> None:
    with ExitStack() as stack:
        home = trained.copy(tmp_path)
        set_policy(home, cooldown_minutes=0)
        database = stack.enter_context(stored(home))
        older, drift, newest, asked = ask(database, "feedback", "drift", "feedback", "person")
        for _ in range(2):
            stack.enter_context(started(home, "trainer"))
        wait_for(lambda: state(database, newest) == "built", "the queue to be done", 240)

        runs = all_runs(database)
        assert {runs[name].state for name in (older, drift)} == {"superseded"}
        assert {runs[name].error for name in (older, drift)} == {f"superseded by {newest}"}
        assert (runs[asked].finished_at_ms or 0) <= (runs[newest].started_at_ms or 0), "one at a time"
        assert runs[asked].state == "built" and runs[newest].attempts == 0
        with database.reading() as connection:
            for name in (asked, newest):
                told = verdicts_of_run(connection, name)
                assert told and told[0].bento == runs[name].bento
        assert json.loads(runs[newest].verdict_json or "")["decision"]
        assert_nothing_is_half_done(database)
        assert "failed" not in log(home) and "Traceback" not in log(home)


def test_a_trainer_killed_again_and_again_leaves_nothing_half_done(trained: Home, tmp_path: Path) -> None:
    """While it reads rows, while it builds, and between a whole Bento and its entry."""
    home, held = with_held_builds(trained.copy(tmp_path))
    gate, before = Gate(home), store(home)
    gate.shut()
    set_policy(home, cooldown_minutes=0)
    with stored(home) as database:
        (run_id,) = ask(database, "feedback")
        with started(home, "trainer") as first:
            gate.wait_for_a_run()
            first.kill()
        assert_nothing_is_half_done(database)
        gate.open()

        with started(home, "trainer") as second:
            wait_for(lambda: bool(builds(second)), "the Bento to be built")
            (orphan,) = builds(second)
            second.kill()
            wait_for(lambda: not is_there(orphan), "the build to end with its trainer")
        assert store(home)["bentos/small"] == before["bentos/small"], "it did not go on for nobody"
        assert_nothing_is_half_done(database)
        assert all_runs(database)[run_id].attempts == 1

        with started(home, "trainer") as third:
            wait_for(lambda: bool(builds(third)), "the Bento to be built")
            with database.writing() as connection:  # nobody can enter it
                connection.execute(text("UPDATE runs SET reason = reason"))
                held.unlink()
                wait_for(lambda: not builds(third), "the build to end")
                third.kill()
        (left,) = store(home)["bentos/small"] - before["bentos/small"]
        assert_nothing_is_half_done(database)

        with started(home, "trainer"):
            wait_for(lambda: state(database, run_id) == "failed", "the run to be given up")
            wait_for(lambda: store(home) == before, "the unlisted Bento to go")
            wait_for(lambda: f"bento=small:{left}" in log(home), "the log to say so")
        run = all_runs(database)[run_id]
        assert run.attempts == 2 and "begun 3 times" in (run.error or "")
        assert_nothing_is_half_done(database)


def test_a_stop_lets_the_run_wait_and_a_killed_command_is_marked_failed(
    trained: Home, tmp_path: Path
) -> None:
    home = trained.copy(tmp_path)
    gate = Gate(home)
    gate.shut()
    set_policy(home, cooldown_minutes=0)
    with stored(home) as database:
        with started(home, "train") as command:
            gate.wait_for_a_run()
            command.kill()
        (killed,) = (name for name, run in all_runs(database).items() if run.state == "running")
        (run_id,) = ask(database, "feedback")
        with started(home, "trainer") as stopped:
            wait_for(lambda: state(database, killed) == "failed", "the killed command to be missed")
            gate.wait_for_a_run()
            stopped.send_signal(signal.SIGTERM)
            assert stopped.wait(60) == 0
        assert "its command was killed" in (all_runs(database)[killed].error or "")
        assert state(database, run_id) == "requested", "though the reader made an error of the signal"

        with started(home, "trainer", has_lifeline=True) as orphaned:
            gate.wait_for_a_run()
            assert orphaned.stdin is not None
            orphaned.stdin.close()
            assert orphaned.wait(60) == 0
        assert state(database, run_id) == "requested"
        assert "whoever started the trainer is gone" in log(home)

        gate.open()
        with started(home, "trainer"):
            wait_for(lambda: state(database, run_id) == "built", "the run to be done after all")
        assert all_runs(database)[run_id].claimed_by
        assert_nothing_is_half_done(database)


def test_a_person_lists_releases_and_discards_suspected_feedback(trained: Home, tmp_path: Path) -> None:
    home = trained.copy(tmp_path)
    use_case = read_use_case("small", (home.folder / "use_cases",))
    generator = np.random.default_rng(0)
    with stored(home) as database:
        for source in ("desk", "clinic"):
            answers: list[tuple[str, str, str | None]] = []
            for place in range(400):
                name = source if place % 5 == 0 else f"{source} {place % 5}"
                right = generator.random() > (0.95 if name == source and place > 200 else 0.2)
                answers.append(("yes", "yes" if right else "no", name))
            tell(database, use_case, answers, at_ms=1_000_000, name=source, bento=home.tags()[0])
            with started(home, "trainer"):
                wait_for(lambda source=source: waits(home, source), f"{source} to be suspended")

        def known() -> dict[str | None, int]:
            with database.writing() as connection:
                instant = settled_instant(connection, "small")
                rows = [row.source for row in labelled_rows(connection, "small", as_of_ms=instant)]
            return {name: rows.count(name) for name in ("desk", "clinic")}

        held = known()
        assert max(held.values()) < 60
        listed = home.rebento("quarantine").stdout
        assert "desk" in listed and "clinic" in listed and "contradict the champion" in listed
        assert "take part from now on" in home.rebento("quarantine", "--release", "desk").stdout
        assert "left out for good" in home.rebento("quarantine", "--discard", "clinic").stdout
        assert known() == {"desk": 80, "clinic": held["clinic"]}
        assert "desk" in refused(home, "quarantine", "--release", "desk"), "once"


def waits(home: Home, source: str) -> bool:
    with stored(home) as database, database.reading() as connection:
        found = connection.execute(text("SELECT source FROM suspensions WHERE ended_at_ms IS NULL"))
        return source in set(found.scalars())


# The rows are those of the snapshot.
@only_on_sqlite
def test_verify_says_so_and_ends_with_one_where_the_model_differs(trained: Home, tmp_path: Path) -> None:
    home = trained.copy(tmp_path)
    (tag,) = home.tags()
    said = home.rebento("verify", tag).stdout
    assert f"{tag} trained again: the graph is byte for byte the same." in " ".join(said.split())
    path = home.var / "bentoml" / "models" / tag.replace(":", "/") / "package.json"
    told = json.loads(path.read_text())
    told["recipe"]["settings"] = {"alpha": 1.0} if told["candidate"] == "sgd" else {"C": 0.0001}
    path.write_text(json.dumps(told))
    differs = home.rebento("verify", tag, check=False)
    assert differs.returncode == 1 and "DIFFERS" in differs.stdout
    shutil.rmtree(home.var / "snapshots")
    assert "There is no snapshot" in refused(home, "verify", tag)
