"""What the command line says before it does anything: its help, and its refusals."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from tests.databases import only_on_sqlite
from tests.homes import Home
from tests.journeys.command_line import Folder, refused, stages

pytestmark = pytest.mark.slow
COMMANDS = {
    "up": (),
    "init": ("FILE", "--target", "--id", "--time", "--replace"),
    "train": ("--as-of",),
    "predict": ("FILE", "--output"),
    "feedback": ("FILE",),
    "export": ("FOLDER",),
    "versions": (),
    "promote": ("TAG",),
    "erase": ("--entity",),
    "prune": (),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_names_what_it_takes(command: str, tmp_path: Path) -> None:
    run = Folder(tmp_path).rebento(command, "--help")
    named = COMMANDS[command] if command == "init" else (*COMMANDS[command], "--use-case")
    assert [word for word in named if word not in run.stdout] == []
    arguments = [line for line in run.stdout.splitlines() if re.match(r"  (--\w|[A-Z]+ )", line)]
    assert len(arguments) > len(COMMANDS[command])
    for line in arguments:
        assert re.search(r"\S {2,}\S", line), f"{line} says nothing of it"
    assert list(tmp_path.iterdir()) == []


def test_help_lists_every_command(tmp_path: Path) -> None:
    listed = Folder(tmp_path).rebento("--help").stdout
    assert [command for command in COMMANDS if f"\n  {command} " not in listed] == []


# These are declined before the database is asked for more than a name.
@only_on_sqlite
def test_a_refusal_is_one_sentence_that_says_what_to_do(trained: Home, tmp_path: Path) -> None:
    home = trained.copy(tmp_path)
    for name in ("predict", "feedback"):
        assert "There is no file nowhere.csv" in refused(home, name, "nowhere.csv")
    assert "There is no file" in refused(home, "init", "nowhere.csv", "--target", "x")
    for command in ("train", "versions", "up"):
        said = refused(home, command, "--use-case", "tomorrow")
        assert "no use case 'tomorrow'" in said and "doctor_visits" in said and "rebento init" in said
    assert "`rebento versions` lists" in refused(home, "promote", "small:1")
    assert "train without --as-of" in refused(home, "train", "--as-of", "2024-01-31")


def test_a_numeric_or_unknown_target_is_refused(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("".join(f"{n},{n * 1.37:.2f}\n" for n in range(200)))
    text = (tmp_path / "prices.csv").read_text()
    (tmp_path / "prices.csv").write_text("size,price\n" + text)
    home = Folder(tmp_path)
    said = refused(home, "init", "prices.csv", "--target", "price")
    assert "is a number" in said and "regression" in said
    assert "did you mean price?" in refused(home, "init", "prices.csv", "--target", "pryce")
    assert not (tmp_path / "use_cases").exists()


def test_without_a_champion_commands_say_how_to_get_one(tmp_path: Path) -> None:
    home = Folder(tmp_path)
    (tmp_path / "rows.csv").write_text("age\n1\n")
    for arguments in (("predict", "rows.csv"), ("feedback", "rows.csv"), ("export",)):
        said = refused(home, *arguments)
        assert "nothing of doctor_visits is in Production" in said and "rebento train" in said


# These are declined before the database is asked for more than a name.
@only_on_sqlite
def test_wrong_settings_are_refused_all_at_once(trained: Home, tmp_path: Path) -> None:
    home = trained.copy(tmp_path, REBENTO_WORKERS="many", REBENTO_API_PORT="0", REBENTO_TYPO="1")
    said = refused(home, "versions")
    assert "REBENTO_WORKERS='many'" in said and "REBENTO_API_PORT='0'" in said and "REBENTO_TYPO" in said
    open_to_all = Home(home.folder, "small", {"REBENTO_HOST": "0.0.0.0"})
    assert "REBENTO_API_TOKEN" in refused(open_to_all, "up")


# These are declined before the database is asked for more than a name.
@only_on_sqlite
def test_a_port_that_is_taken_is_named(trained: Home, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = refused(trained.copy(tmp_path, REBENTO_API_PORT=str(port)), "up")
    assert f"port {port}" in said and "REBENTO_API_PORT" in said


def test_a_version_whose_files_are_gone_is_not_promoted(trained: Home, tmp_path: Path) -> None:
    home = trained.copy(tmp_path)
    (tag,) = home.tags()
    home.rebento("train")
    second = home.tags()[-1]
    (home.var / "bentoml" / "bentos" / "small" / second.removeprefix("small:")).rename(tmp_path / "away")
    assert f"the files of {second} are gone" in refused(home, "promote", second)
    assert stages(home)[tag] == "Production"


def test_absent_data_is_said_with_the_place_to_put_it(tmp_path: Path) -> None:
    said = refused(Folder(tmp_path), "train", "--use-case", "streamflow_churn")
    assert str(tmp_path / "data/streamflow/month_000/users.csv") in said and "REBENTO_DATA" in said
    said = refused(Folder(tmp_path), "train", "--use-case", "dpe_tertiaire")
    assert str(tmp_path / "data") in said and "Put it there" in said
