"""English and French: texts, numbers, times. One `Speech` a language and region, made when asked for."""

from __future__ import annotations

import functools
import io
import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from babel import Locale, dates, localedata, numbers
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

LANGUAGES = ("en", "fr")
_CATALOGUES = Path(__file__).parent / "locale"
_PLAIN = {"en": "en-GB", "fr": "fr-FR"}
"""How numbers and dates are written where the browser names no region: 21 Nov 2026, not Nov 21."""
_WITH_REGION = re.compile(r"(en|fr)-([a-z]{2}|[0-9]{3})")


def marked(text: str) -> str:
    """The text itself, marked for the catalogue; `Speech.gettext` translates it later."""
    return text


class Speech:
    """One language as one region writes it. Times are milliseconds UTC, shares 0 to 1."""

    def __init__(self, code: str, tag: str = "") -> None:
        self.code = code
        """Of the texts: 'en' or 'fr'."""
        self.tag = tag or _PLAIN[code]
        """Of numbers and dates, such as 'en-GB'."""
        self.locale = Locale.parse(self.tag, sep="-")
        self._translations = _translations(code)

    def gettext(self, text: str, **values: object) -> str:
        translated = self._translations.gettext(text)
        return translated % values if values else translated

    def ngettext(self, one: str, many: str, n: int, **values: object) -> str:
        """The form for n; `%(n)s` in it is the number as this language writes it."""
        return self._translations.ngettext(one, many, n) % {"n": self.number(n), **values}

    @property
    def translations(self) -> NullTranslations:
        return self._translations

    def number(self, value: float, digits: int | None = None) -> str:
        """With `digits` decimals; without, as many as matter: 8,490 and 0.0421."""
        if digits is not None:
            return numbers.format_decimal(round(value, digits), f"#,##0.{'0' * digits}", self.locale)
        if float(value).is_integer() and abs(value) < 1e15:
            return numbers.format_decimal(int(value), locale=self.locale)
        size = abs(value)
        decimals = 0 if size >= 1000 else 1 if size >= 100 else 2
        if size < 1:  # three digits that say something
            decimals = min(6, 2 - math.floor(math.log10(size)))
        pattern = "#,##0." + "#" * decimals if decimals else "#,##0"
        return numbers.format_decimal(value, pattern, self.locale)

    def percent(self, share: float, digits: int = 0) -> str:
        pattern = self.locale.percent_formats[None].pattern.replace("0%", f"0.{'0' * digits}%")
        pattern = pattern if digits == 0 else pattern.replace("0\xa0%", f"0.{'0' * digits}\xa0%")
        return numbers.format_percent(share, pattern, self.locale)

    def points(self, share: float) -> str:
        """A signed difference of shares in percentage points: +11.6."""
        shown = self.number(abs(share) * 100, 1)
        sign = "" if abs(share) < 0.0005 else "+" if share > 0 else "−"
        return f"{sign}{shown}"

    def day(self, at_ms: int) -> str:
        return dates.format_date(_moment(at_ms), "medium", self.locale)

    def moment(self, at_ms: int) -> str:
        """Day and time, UTC."""
        found = _moment(at_ms)
        day = dates.format_date(found, "medium", self.locale)
        return f"{day}, {dates.format_time(found, 'HH:mm', locale=self.locale)} UTC"

    def ago(self, at_ms: int, now_ms: int) -> str:
        """ "3 minutes ago"; "in 2 hours" for what is to come."""
        seconds = (at_ms - now_ms) / 1000
        if abs(seconds) < 2:
            return self.gettext("just now")
        return dates.format_timedelta(timedelta(seconds=seconds), add_direction=True, locale=self.locale)

    def duration(self, seconds: float) -> str:
        if seconds < 1:
            return f"{self.number(seconds * 1000, 0 if seconds >= 0.01 else 1)}\xa0ms"
        if seconds < 60:
            return f"{self.number(seconds, 1)}\xa0s"
        return dates.format_timedelta(timedelta(seconds=seconds), locale=self.locale, threshold=1.5)

    def size(self, size_bytes: float) -> str:
        for unit in ("B", "kB", "MB"):
            if size_bytes < 1000:
                return f"{self.number(size_bytes, 0 if unit == 'B' else 1)}\xa0{unit}"
            size_bytes /= 1000
        return f"{self.number(size_bytes, 1)}\xa0GB"


@functools.cache
def speech_of(code: str, tag: str) -> Speech:
    """The one speech of a language and region; there are as many as `region` may give."""
    return Speech(code, tag)


def choose(switched: str | None, accepted: str) -> str:
    """The language of a visitor: what the switch says, else the best of the Accept-Language header.

    >>> choose(None, "de, fr;q=0.8, en;q=0.5"), choose("en", "fr"), choose(None, "")
    ('fr', 'en', 'en')
    """
    if switched in LANGUAGES:
        return str(switched)
    codes = (name.partition("-")[0] for name in _wishes(accepted))
    return next((code for code in codes if code in LANGUAGES), LANGUAGES[0])


def region(code: str, accepted: str) -> str:
    """How a visitor of a language writes numbers and dates: the best region of it in Accept-Language.

    A region that nobody knows, and none at all, give the plain one.

    >>> region("en", "fr-CA, en-US;q=0.8, en;q=0.7"), region("en", "en"), region("fr", "fr-xx")
    ('en-US', 'en-GB', 'fr-FR')
    """
    for name in _wishes(accepted):
        found = _WITH_REGION.fullmatch(name)
        if found is not None and found[1] == code:
            tag = f"{code}-{found[2].upper()}"
            if localedata.exists(tag.replace("-", "_")):
                return tag
    return _PLAIN[code]


def _wishes(accepted: str) -> list[str]:
    """The names in an Accept-Language header, lower case, the best first."""
    weighed = []
    for place, part in enumerate(accepted.split(",")[:20]):
        name, _, weight = part.strip().partition(";")
        try:
            share = float(weight.strip().removeprefix("q=")) if weight else 1.0
        except ValueError:
            continue
        if share > 0:
            weighed.append((-share, place, name.strip().lower()))
    return [name for _, _, name in sorted(weighed)]


def catalogue(code: str) -> Catalog:
    """Every translation into a language, from all its files."""
    merged = Catalog(locale=code)
    for path in _files(code):
        with path.open("rb") as file:
            for message in read_po(file, locale=code):
                if message.id and message.string:
                    merged[message.id] = message
    return merged


def _files(code: str) -> Iterable[Path]:
    return sorted((_CATALOGUES / code / "LC_MESSAGES").glob("*.po"))


@functools.cache
def _translations(code: str) -> NullTranslations:
    if code == LANGUAGES[0]:
        return NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, catalogue(code))
    compiled.seek(0)
    return Translations(compiled)


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
