"""Every Bento with how it came to its stage; nothing changes before a person has read what will happen."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loop.clock import now_ms
from storage.automation import automation
from storage.database import Database
from storage.processes import beat
from storage.promotions import start_promotion
from storage.runs import request_run, start_run
from storage.verdicts import StoredVerdict, add_verdicts
from storage.versions import Version, add_version, champion, change_stage, version
from tests.homes import Home, free_port
from tests.webapp.conftest import Pages, plan_of_home, served
from webapp.cards import card
from webapp.plan import Plan

ONE, TWO, THREE = (f"doctor_visits:{name}" for name in ("one", "two", "three"))
CARD = """\
# {tag}

Says <script>alert(1)</script> and [this](javascript:alert(1)) ![picture](http://elsewhere.example/a.png)

True classes down, predicted classes across:

| | no | yes |
| --- | ---: | ---: |
| **no** | 1,234 | 5 |
| **yes** | 6 | 78 |
"""


def _add(database: Database, plan: Plan, tag: str, run_id: str | None = None, value: float = 0.7) -> None:
    use_case, _, number = tag.partition(":")
    (plan.home / "bentoml" / "bentos" / use_case / number / "src").mkdir(parents=True)
    model = plan.home / "bentoml" / "models" / use_case / number
    model.mkdir(parents=True)
    (model / "model_card.md").write_text(CARD.format(tag=tag), encoding="utf-8")
    scores = {"roc_auc": {"value": value, "low": value - 0.1, "high": value + 0.1}}
    recipe = {"kind": "fresh", "candidate": "sgd", "settings": {"alpha": 0.1}, "seed": 7, "rows": 1611}
    with database.writing() as connection:
        add_version(
            connection,
            Version(
                *(tag, use_case, tag, "None", now_ms(), run_id, None, "0123456789abcdef", "sgd"),
                *(json.dumps(scores), "2024-01-31", json.dumps(recipe)),
            ),
        )


@pytest.fixture
def database(plan: Plan) -> Iterator[Database]:
    """Two versions, the second in Production after the first."""
    opened = Database.open(plan.database_url)
    opened.migrate()
    for tag in (ONE, TWO):
        _add(opened, plan, tag)
        with opened.writing() as connection:
            change_stage(connection, tag, "Production", actor="judge", reason="<b>x</b>", at_ms=now_ms())
    yield opened
    opened.close()


def _fields(text: str) -> dict[str, str]:
    """The hidden fields of a confirmation."""
    form = text.partition('class="card confirmation"')[2]
    return {
        name: value for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form) if name != "csrf"
    }


def test_the_list_says_stage_score_rows_and_why(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    text = opened().get("/versions").text
    for said in (
        "in Production",
        "archived",
        "0.700",
        "0.600–0.800",
        "1,611",
        "2024-01-31",
        "01234567",
        "judge",
    ):
        assert said in text, said
    assert "&lt;b&gt;x&lt;/b&gt;" in text and f"/versions/{ONE}/promote" in text.replace("%3A", ":")
    assert f"/versions/{TWO}/promote" not in text.replace("%3A", ":")


def test_an_installation_without_versions_says_what_to_do(opened: Callable[..., Pages]) -> None:
    pages = opened()
    assert "Train the first." in pages.get("/versions").text
    assert pages.get("/versions/rollback").status_code == 409
    assert pages.get("/versions/nothing").status_code == 404
    assert pages.get("/versions/compare?left=a&right=b").status_code == 404


def test_a_version_shows_its_recipe_its_stages_and_its_card_without_markup_of_its_own(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    text = opened().get("/versions/one").text
    for said in ("Seed", "alpha=0.1", "0123456789abcdef", "2024-01-31", "Model card", "1,234"):
        assert said in text, said
    assert "&lt;script&gt;alert(1)" in text and "<script>alert" not in text
    assert "<img" not in text and 'href="javascript' not in text and "style=" not in text


def test_a_version_without_files_is_shown_and_cannot_be_promoted(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    (plan.home / "bentoml" / "bentos" / "doctor_visits" / "one" / "src").rmdir()
    (plan.home / "bentoml" / "models" / "doctor_visits" / "one" / "model_card.md").unlink()
    pages = opened()
    text = pages.get("/versions/one").text
    assert "files removed" in text and "Its files are gone" in text and "/promote" not in text
    assert pages.submit("/versions/one/promote", instead_of=TWO).status_code == 409


def test_a_promotion_asks_first_and_then_is_done(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    pages = opened()
    asked = pages.get("/versions/one/promote").text
    assert "takes the place of" in asked and "No supervisor is there" in asked
    with database.reading() as connection:
        standing = champion(connection, plan.use_case)
    assert standing is not None and standing.tag == TWO
    done = pages.submit("/versions/one/promote", **{**_fields(asked), "reason": "a look"})
    assert done.headers["location"] == "/versions"
    with database.reading() as connection:
        standing = champion(connection, plan.use_case)
    assert standing is not None and standing.tag == ONE
    assert "a look" in pages.get("/versions").text


def test_a_confirmation_that_is_out_of_date_does_nothing_and_says_so(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    _add(database, plan, THREE)
    pages = opened()
    answer = pages.submit("/versions/three/promote", instead_of=ONE)
    assert answer.status_code == 409 and f"{TWO[1:]} is in Production by now" in answer.text


def test_a_rollback_says_what_it_suspends_and_a_resume_ends_that(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    _add(database, plan, THREE)
    pages = opened()
    pages.submit("/versions/three/promote", **_fields(pages.get("/versions/three/promote").text))
    asked = pages.get("/versions/rollback").text
    assert "nothing is promoted by itself until you resume" in asked
    pages.submit("/versions/rollback", **_fields(asked))
    with database.reading() as connection:
        standing = champion(connection, plan.use_case)
        assert standing is not None and standing.tag == TWO
        assert automation(connection, plan.use_case).promotion_is_suspended
    assert "promotes nothing" in pages.get("/versions").text
    pages.submit("/versions/resume")
    with database.reading() as connection:
        assert not automation(connection, plan.use_case).promotion_is_suspended


def test_pause_and_archive_ask_first(opened: Callable[..., Pages], plan: Plan, database: Database) -> None:
    _add(database, plan, THREE)
    pages = opened()
    assert "Predictions and feedback go on" in pages.get("/versions/pause").text
    pages.submit("/versions/pause", reason="holiday")
    assert "holiday" in pages.get("/versions").text
    assert "can be promoted after all" in pages.get("/versions/three/archive").text
    pages.submit("/versions/three/archive")
    with database.reading() as connection:
        assert automation(connection, plan.use_case).is_paused
        found = version(connection, THREE)
    assert found is not None and found.stage == "Archived"


def test_a_promotion_under_way_is_shown_live(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    with database.writing() as connection:
        beat(connection, plan.use_case, "supervisor", pid=1, host="h", started_at_ms=1, at_ms=now_ms())
    pages = opened()
    pages.submit("/versions/one/promote", **_fields(pages.get("/versions/one/promote").text))
    text = pages.get("/versions").text
    assert "A promotion is under way." in text and "waits for the supervisor" in text
    again = re.search(r'hx-get="(/versions\?was=[^"]+)" hx-trigger="every 2s"', text)
    assert again is not None
    headers = {"hx-request": "true", "hx-target": "standing"}
    path = again.group(1).replace("&amp;", "&")
    assert pages.get(path, headers=headers).status_code == 204
    with database.writing() as connection:
        start_promotion(connection, 1, now_ms())
    region = pages.get(path, headers=headers)
    assert "its workers start" in region.text and "<html" not in region.text


def test_two_versions_stand_side_by_side(
    opened: Callable[..., Pages], plan: Plan, database: Database
) -> None:
    runs = []
    for reason, seed in (("a", 0), ("b", 1)):
        with database.writing() as connection:
            asked = request_run(connection, plan.use_case, trigger="first", reason=reason, at_ms=now_ms())
            told = json.dumps({"seed": seed, "policy": {"keep_bentos": 10}})
            start_run(connection, asked.run_id, now_ms(), parameters_json=told)
            connection.exec_driver_sql("UPDATE runs SET state = 'built'")
        runs.append(asked.run_id)
    _add(database, plan, "doctor_visits:a", runs[0], 0.61)
    _add(database, plan, "doctor_visits:b", runs[1], 0.83)
    said = StoredVerdict(
        *(runs[1], plan.use_case, "doctor_visits:a", "fresh", "doctor_visits:b", "promote", 0.2, 0.1, 0.3),
        *(500, 1, 0.025, None, "proven better", "{}", "{}", now_ms()),
    )
    with database.writing() as connection:
        add_verdicts(connection, (said,))
    pages = opened()
    text = pages.get("/versions/compare?left=doctor_visits:a&right=doctor_visits:b").text
    for word in ("0.610", "0.830", "Proven better.", "500 labelled rows", "<code>seed</code>"):
        assert word in text, word
    assert "keep_bentos" not in text and text.count('class="matrix"') == 2
    unknown = pages.get(f"/versions/compare?left={ONE}&right={TWO}").text
    assert "The settings of one of them are not stored." in unknown
    assert "has not compared these two" in unknown


def test_a_card_without_a_square_matrix_has_none() -> None:
    assert card("no table").matrix is None
    assert (
        card("True classes down, predicted classes across:\n\n| | a |\n| - | - |\n| a | x |").matrix is None
    )
    found = card(CARD).matrix
    assert found is not None and found.counts == ((1234, 5), (6, 78)) and found.classes == ("no", "yes")


def test_a_real_bento_is_shown_with_its_matrix(trained: Home, tmp_path: Path) -> None:
    with served(plan_of_home(trained.copy(tmp_path), f"http://127.0.0.1:{free_port()}")) as pages:
        (path,) = re.findall(r'id="v1" href="([^"]+)"', pages.get("/versions").text)
        text = pages.get(path).text
        tag = path.removeprefix("/versions/")
        compared = pages.get(f"/versions/compare?left={tag}&right={tag}").text
    assert "nothing was in Production" in text and "True classes down" in text
    assert compared.count('class="matrix"') == 2 and "are the same" in compared
