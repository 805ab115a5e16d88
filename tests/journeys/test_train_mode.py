"""`rebento train --mode`: one kind of challenger alone, by the words and with the refusals of the pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.run_facts import ModeRefused, mode_of
from storage.verdicts import verdicts_of_run
from tests.databases import only_on_sqlite
from tests.homes import Home
from tests.journeys.trainers import all_runs, stored


# Which challengers are made does not hang on the database.
@only_on_sqlite
@pytest.mark.slow
def test_one_kind_of_challenger_is_made_alone_or_the_sentence_says_why_not(
    trained: Home, tmp_path: Path
) -> None:
    home = trained.copy(tmp_path)
    with stored(home) as database:
        before = set(all_runs(database))
    unknown = home.rebento("train", "--mode", "best", check=False)
    assert unknown.returncode == 1 and "Traceback" not in unknown.stderr
    assert unknown.stderr.endswith(
        "'best' is no kind of challenger; choose one of fresh, recent, weighted, fine_tuned, or all\n"
    )
    with stored(home) as database:
        assert set(all_runs(database)) == before, "nothing was asked for"
    said = home.rebento("train", "--mode", "weighted").stdout
    assert "weighted:" in said and "fresh:" not in said
    refused = home.rebento("train", "--mode", "fine-tuned", check=False)
    assert refused.returncode == 1 and "has seen all of the rows" in refused.stderr
    with stored(home) as database:
        made, failed = (run for run_id, run in sorted(all_runs(database).items()) if run_id not in before)
        with database.reading() as connection:
            assert {one.challenger for one in verdicts_of_run(connection, made.run_id)} == {"weighted"}
    assert (made.mode, made.state, made.reason) == ("weighted", "built", "rebento train")
    assert (failed.mode, failed.state) == ("fine_tuned", "failed")


# Which challengers are made does not hang on the database.
@only_on_sqlite
@pytest.mark.slow
def test_without_a_champion_only_a_fresh_one_can_be_made(trained: Home, tmp_path: Path) -> None:
    empty = Home(tmp_path, extra={"REBENTO_USE_CASES": str(trained.folder / "use_cases")})
    refused = empty.rebento("train", "--mode", "recent", check=False)
    assert refused.returncode == 1
    assert "nothing is in Production: train a fresh one" in refused.stderr
    assert "PROMOTED small:" in empty.rebento("train", "--mode", "fresh").stdout


def test_words_for_all_and_for_one() -> None:
    assert mode_of("") is None and mode_of("all") is None
    assert mode_of("fine-tuned") == mode_of("fine_tuned") == "fine_tuned"
    with pytest.raises(ModeRefused, match="'Recent' is no kind"):
        mode_of("Recent")
