"""English and French: every text, numbers, times; by the browser's wish and by the switch."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from babel.dates import format_date
from babel.localedata import locale_identifiers

from storage.database import Database
from storage.runs import request_run
from tests.webapp.conftest import Pages
from tests.webapp.messages import marked_messages
from webapp.language import LANGUAGES, Speech, catalogue, choose, region
from webapp.plan import Plan

FRENCH = Speech("fr")
ENGLISH = Speech("en")
NOVEMBER_21_MS = 1_795_219_200_000
"""2026, at midnight UTC."""


def test_every_marked_text_has_its_french() -> None:
    french = catalogue("fr")
    missing = []
    for message in marked_messages():
        if not message.id:
            continue
        found = french.get(message.id)
        if (
            found is None
            or not found.string
            or not all([found.string] if isinstance(found.string, str) else found.string)
        ):
            missing.append((message.id, message.locations[:1]))
    assert not missing, "add these to a .po file in webapp/locale/fr/LC_MESSAGES"


def test_translations_hold_the_places_of_their_originals() -> None:
    for message in catalogue("fr"):
        if not message.id:
            continue
        originals = [message.id] if isinstance(message.id, str) else list(message.id)
        strings = [message.string] if isinstance(message.string, str) else list(message.string)
        for text in strings:
            found = set(re.findall(r"%\((\w+)\)s", text))
            allowed = set(re.findall(r"%\((\w+)\)s", " ".join(originals)))
            assert found <= allowed and (len(originals) > 1 or found == allowed), message.id


@pytest.mark.parametrize(
    ("value", "english", "french"),
    [(8490.0, "8,490", "8 490"), (0.0421, "0.0421", "0,0421"), (-3, "-3", "-3"), (64.02, "64.02", "64,02")],
)
def test_numbers_are_written_as_each_language_writes_them(value: float, english: str, french: str) -> None:
    assert ENGLISH.number(value) == english
    assert re.sub(r"\s", " ", FRENCH.number(value)) == french


def test_shares_times_and_sizes_follow_the_language() -> None:
    assert (ENGLISH.percent(0.713, 1), re.sub(r"\s", " ", FRENCH.percent(0.713, 1))) == ("71.3%", "71,3 %")
    assert ENGLISH.percent(1.0) == "100%"
    assert ENGLISH.ago(1_000, 181_000) == "3 minutes ago" and FRENCH.ago(1_000, 181_000) == "il y a 3 minutes"
    assert ENGLISH.moment(1_706_659_200_000) == "31 Jan 2024, 00:00 UTC"
    assert (ENGLISH.points(0.1163), ENGLISH.points(-0.06), ENGLISH.points(0.0)) == ("+11.6", "−6.0", "0.0")
    assert re.sub(r"\s", " ", ENGLISH.size(1_540_000)) == "1.5 MB"


@pytest.mark.parametrize(
    ("code", "accepted", "tag", "shown"),
    [
        ("en", "en-GB,en;q=0.9", "en-GB", "21 Nov 2026, 00:00 UTC"),
        ("en", "en-US,en;q=0.9", "en-US", "Nov 21, 2026, 00:00 UTC"),
        ("en", "en", "en-GB", "21 Nov 2026, 00:00 UTC"),
        ("en", "fr-FR,fr;q=0.9", "en-GB", "21 Nov 2026, 00:00 UTC"),  # by the switch
        ("en", "en-XX,en-us;q=0.5,en-AU;q=0.7", "en-AU", "21 Nov 2026, 00:00 UTC"),
        ("en", "en-../../etc,en-", "en-GB", "21 Nov 2026, 00:00 UTC"),
        ("fr", "fr", "fr-FR", "21 nov. 2026, 00:00 UTC"),
        ("fr", "en-US,fr-CA;q=0.5", "fr-CA", "21 nov. 2026, 00:00 UTC"),
    ],
)
def test_dates_are_written_as_the_region_of_the_browser_writes_them(
    code: str, accepted: str, tag: str, shown: str
) -> None:
    assert region(code, accepted) == tag
    assert Speech(code, tag).moment(NOVEMBER_21_MS) == shown


def test_short_dates_of_the_regions_differ() -> None:
    """The tag that the pages' script gets is one by which a browser writes 21/11/2026 or 11/21/2026."""
    moment = datetime.fromtimestamp(NOVEMBER_21_MS / 1000, UTC)
    shown = {tag: format_date(moment, "short", Speech("en", tag).locale) for tag in ("en-GB", "en-US")}
    assert shown == {"en-GB": "21/11/2026", "en-US": "11/21/26"}


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_region_that_may_be_asked_for_can_be_written(code: str) -> None:
    tags = {region(code, name.replace("_", "-")) for name in locale_identifiers() if name.startswith(code)}
    assert len(tags) > 20
    for tag in tags:
        speech = Speech(code, tag)
        assert "713" in speech.percent(0.7134, 1).replace(".", "").replace(",", ""), tag
        assert speech.number(8490.0) and speech.ago(1_000, 181_000) and speech.size(1_540_000)
        assert "2026" in speech.day(NOVEMBER_21_MS)


def test_two_visitors_of_one_language_each_see_their_region(opened: Callable[..., Pages], plan: Plan) -> None:
    pages = opened()
    database = Database.open(plan.database_url)
    with database.writing() as connection:
        request_run(connection, plan.use_case, trigger="person", reason="r", at_ms=NOVEMBER_21_MS)
    database.close()
    for _ in range(2):  # neither keeps the other's
        for accepted, shown in (("en-US", "Nov 21, 2026"), ("en-GB", "21 Nov 2026")):
            text = pages.get("/runs", headers={"accept-language": accepted}).text
            assert f'<html lang="en" data-region="{accepted}">' in text
            assert f'title="{shown}, 00:00 UTC"' in text


@pytest.mark.parametrize(
    ("switched", "accepted", "chosen"),
    [
        (None, "fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        (None, "de;q=1, en;q=0.3, fr;q=0.2", "en"),
        (None, "fr;q=0, en", "en"),
        (None, "fr;q=much", "en"),
        ("fr", "en", "fr"),
        ("klingon", "fr", "fr"),
    ],
)
def test_the_switch_wins_then_the_browsers_wish(switched: str | None, accepted: str, chosen: str) -> None:
    assert choose(switched, accepted) == chosen


def test_the_switch_stays_and_leads_back_to_the_page(opened: Callable[..., Pages]) -> None:
    pages = opened()
    assert 'lang="en"' in pages.get("/settings").text
    switched = pages.submit("/language", language="fr", next="/settings")
    assert switched.headers["location"] == "/settings"
    assert "Réglages en vigueur" in pages.get("/settings").text
    assert pages.get("/", headers={"accept-language": "en"}).headers["content-language"] == "fr"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_component_is_drawn_in_every_language(language: str, opened: Callable[..., Pages]) -> None:
    answer = opened().get("/patterns", headers={"accept-language": language})
    assert answer.status_code == 200 and f'<html lang="{language}"' in answer.text
