"""Processes that stand alone, each in a container perhaps: the trainer, the reporter with its pages."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil
import pytest

from storage.versions import champion, versions
from tests.databases import empty_database
from tests.homes import BIN, ROOT, Home, free_port, serving, wait_for
from tests.journeys.trainers import (
    Gate,
    all_runs,
    assert_nothing_is_half_done,
    builds,
    log,
    started,
    stored,
    with_held_builds,
)
from tests.processes import is_there

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PATIENCE_SECONDS = 120


def untrained(trained: Home, folder: Path, **extra: str) -> Home:
    """A home with the small use case, and nothing else."""
    shutil.copytree(trained.folder / "use_cases", folder / "use_cases", dirs_exist_ok=True)
    url = trained.extra.get("REBENTO_DATABASE_URL")
    if url is not None:
        extra.setdefault("REBENTO_DATABASE_URL", empty_database(url))
    return Home(folder, extra=extra)


def has_champion(home: Home) -> bool:
    with stored(home) as database:
        database.migrate()
        with database.reading() as connection:
            return champion(connection, home.use_case) is not None


def test_two_trainers_that_stand_alone_make_one_first_version(trained: Home, tmp_path: Path) -> None:
    with ExitStack() as stack:
        home = untrained(trained, tmp_path)
        both = [stack.enter_context(started(home, "trainer", "--alone")) for _ in range(2)]
        wait_for(lambda: has_champion(home), "a first version", PATIENCE_SECONDS)
        for process in both:
            process.send_signal(signal.SIGTERM)
        assert [process.wait(PATIENCE_SECONDS) for process in both] == [0, 0]
        with stored(home) as database:
            (run,) = all_runs(database).values()
            assert (run.trigger, run.state, run.attempts) == ("first", "built", 0)
            with database.reading() as connection:
                assert [one.stage for one in versions(connection, "small")] == ["Production"]
        assert "Traceback" not in log(home), log(home)
        assert "were removed" not in log(home)


def test_a_first_version_is_taken_up_again_after_a_kill(trained: Home, tmp_path: Path) -> None:
    home = untrained(trained, tmp_path)
    gate = Gate(home)
    gate.shut()
    with started(home, "trainer", "--alone") as process:
        gate.wait_for_a_run()
        process.kill()
        process.wait()
    with started(home, "trainer", "--alone") as process:
        gate.wait_for_a_run()
        gate.open()
        wait_for(lambda: has_champion(home), "a first version", PATIENCE_SECONDS)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
    with stored(home) as database:
        (run,) = all_runs(database).values()
        assert (run.trigger, run.state, run.attempts) == ("first", "built", 1)
        assert_nothing_is_half_done(database)


def test_rows_that_are_not_there_are_said_and_waited_for(trained: Home, tmp_path: Path) -> None:
    home = untrained(trained, tmp_path)
    case = home.folder / "use_cases" / "small" / "use_case.yaml"
    case.write_text(case.read_text().replace('loader: "loader.py:rows"', "csv: rows.csv"))
    with started(home, "trainer", "--alone") as process:
        wait_for(lambda: "a training run failed" in log(home), "the refusal", PATIENCE_SECONDS)
        assert "rows.csv" in log(home) and "Traceback" not in log(home)
        assert process.poll() is None, "it waits for them"
        healthy = home.rebento("healthy", "trainer")
        assert "the trainer of small is there" in healthy.stdout
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
    with stored(home) as database:
        assert [run.state for run in all_runs(database).values()] == ["failed"], "not again at once"
    gone = home.rebento("healthy", "trainer", check=False)
    assert (gone.returncode, gone.stderr.count("\n")) == (1, 1), gone.stderr
    assert f"no trainer of small on {socket.gethostname()} has said within 15 seconds" in gone.stderr


def test_a_stop_in_the_middle_lets_the_run_wait_and_leaves_no_process(trained: Home, tmp_path: Path) -> None:
    home, _ = with_held_builds(untrained(trained, tmp_path))
    with started(home, "trainer", "--alone") as process:
        wait_for(lambda: bool(builds(process)), "a Bento to be built", PATIENCE_SECONDS)
        beneath = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
        wait_for(lambda: not any(is_there(one) for one in beneath), "its processes to end")
    with stored(home) as database:
        (run,) = all_runs(database).values()
        assert (run.state, run.attempts) == ("requested", 0)
    assert "Traceback" not in log(home), log(home)


def test_the_reporter_shows_evidentlys_pages_and_both_leave_together(trained: Home, tmp_path: Path) -> None:
    port = free_port()
    home = trained.copy(
        tmp_path, REBENTO_REPORTING_PORT=str(port), REBENTO_ALLOWED_HOSTS="reports.example,other.example"
    )
    missing = home.rebento("healthy", "reporting", check=False)
    assert missing.returncode == 1 and "no reporter of small" in missing.stderr
    with started(home, "reporter", "--pages", "--host", "0.0.0.0") as process:
        wait_for(lambda: "pages are at http://0.0.0.0" in log(home), "the pages", PATIENCE_SECONDS)
        wait_for(lambda: home.rebento("healthy", "reporting", check=False).returncode == 0, "health")
        (pages,) = psutil.Process(process.pid).children()
        assert pages.memory_info().rss < 60_000_000, "asking after its health is no visit"
        base = f"http://127.0.0.1:{port}/api/projects"

        def status(host: str) -> int:
            answer = httpx.get(base, headers={"host": host}, timeout=PATIENCE_SECONDS, trust_env=False)
            return answer.status_code

        assert [status(host) for host in ("localhost", "reports.example:8082", "10.0.0.1")] == [200] * 3
        assert status("evil.example") == 403

        pages.kill()  # it is started again
        wait_for(lambda: log(home).count("pages are at") == 2, "the next pages", PATIENCE_SECONDS)
        (pages,) = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
        assert not pages.is_running()
    assert "Traceback" not in log(home), log(home)


def test_pages_leave_with_a_reporter_that_was_killed(trained: Home, tmp_path: Path) -> None:
    home = trained.copy(tmp_path, REBENTO_REPORTING_PORT=str(free_port()))
    with started(home, "reporter", "--pages") as process:
        wait_for(lambda: "pages are at http://127.0.0.1" in log(home), "the pages", PATIENCE_SECONDS)
        (pages,) = psutil.Process(process.pid).children()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        wait_for(lambda: not is_there(pages), "the pages to leave")
    refused = home.rebento("reporter", "--host", "0.0.0.0", check=False)
    assert refused.returncode == 1 and "write --pages as well" in refused.stderr


def test_pages_alone_ask_the_api_where_they_are_told_and_answer_to_the_names_allowed(
    trained: Home, tmp_path: Path
) -> None:
    elsewhere = trained.copy(tmp_path / "serving")
    with serving(elsewhere, [str(BIN / "rebento"), "serve"], free_port()) as server:
        port = free_port()
        home = trained.copy(
            tmp_path / "web",
            REBENTO_DATABASE_URL=elsewhere.database_url,
            REBENTO_API_URL=server.base,
            REBENTO_API_PORT=str(free_port()),  # where nobody answers
            REBENTO_WEB_PORT=str(port),
            REBENTO_REPORTING_URL="https://reports.example/evidently",
            REBENTO_ALLOWED_HOSTS="churn.example",
            REBENTO_HOST="0.0.0.0",
            REBENTO_API_TOKEN="t",
        )
        assert home.rebento("healthy", "webapp", check=False).returncode == 1
        with (
            started(home, "web") as process,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as visitor,
        ):
            wait_for(lambda: "pages at http" in log(home), "the pages", PATIENCE_SECONDS)
            wait_for(lambda: "The service answers." in visitor.get("/service").text, "the API to be seen")
            assert home.rebento("healthy", "webapp").stdout.startswith("the web pages on port")
            assert visitor.get("/sign-in", headers={"host": "churn.example:8081"}).status_code == 200
            assert visitor.get("/sign-in", headers={"host": "evil.example"}).status_code == 400
            page = visitor.get("/sign-in")
            token = re.search(r'name="csrf" value="([^"]+)"', page.text)
            assert token is not None
            visitor.post("/sign-in", data={"csrf": token[1], "token": "t"})
            assert 'href="https://reports.example/evidently"' in visitor.get("/reports").text
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_SECONDS) == 0
        api_port = server.base.rpartition(":")[2]
        there = Home(elsewhere.folder, extra={**elsewhere.extra, "REBENTO_API_PORT": api_port})
        assert there.rebento("healthy", "serving").stdout == f"the API on port {api_port} answered /readyz\n"
    gone = there.rebento("healthy", "serving", check=False)
    assert gone.returncode == 1 and "the API cannot be reached" in gone.stderr


def test_an_unknown_process_is_refused_by_name(tmp_path: Path) -> None:
    refused = Home(tmp_path).rebento("healthy", "postgres", check=False)
    assert refused.returncode == 1
    assert refused.stderr == (
        "rebento: postgres is none of the processes: "
        "ask for serving, webapp, reporting, trainer or annotations\n"
    )


def test_before_anything_has_begun_its_health_is_a_sentence(tmp_path: Path) -> None:
    home = Home(tmp_path)
    before = home.rebento("healthy", "trainer", check=False)
    assert before.returncode == 1 and "no database" in before.stderr
    assert not home.var.exists(), "asking makes nothing"
    home.var.mkdir()
    (home.var / "rebento.sqlite").touch()
    empty = home.rebento("healthy", "trainer", check=False)
    assert empty.returncode == 1
    assert empty.stderr == "rebento: the database holds no tables yet: no trainer has begun\n"


def test_asking_after_health_loads_no_other_part(tmp_path: Path) -> None:
    program = (
        "import sys, cli; sys.argv = ['rebento', 'healthy', sys.argv[1]]\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print(*sys.modules.keys() & set('typer rich bentoml sklearn pandas evidently starlette alembic '"
        "'jinja2 numpy yaml training webapp reporting supervisor'.split()))"
    )
    for process in ("serving", "webapp", "trainer", "reporting"):
        command = [sys.executable, "-c", program, process]
        environment = Home(tmp_path).environment | {"REBENTO_API_PORT": "1", "REBENTO_WEB_PORT": "1"}
        ran = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )
        assert ran.stdout.strip() == "", (process, ran.stderr)
