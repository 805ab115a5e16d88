"""The contract's sentences about a value, in the visitor's language and with its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from loop.refusals import Problem
from use_cases.contract import Contract
from webapp.forms import Refused, number
from webapp.language import Speech, marked

# What runner.rows and runner.cells say -> the same in the catalogue's words.
_SENTENCES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"is required and missing", marked("Please fill this in: the model needs it.")),
        (r"is empty, and training never saw it empty", marked("Please fill this in: the model needs it.")),
        (r"must be a number, not the text '(?P<value>.*)'", marked("“%(value)s” is not a number.")),
        (r"must be true or false, not the text '(?P<value>.*)'", marked("Choose true or false.")),
        (r"is too large for a 32-bit number", marked("This number is too large.")),
        (
            r"'(?P<value>.*)' is no ISO date .*",
            marked("“%(value)s” is not a date; write 2024-01-31 or 2024-01-31T12:00."),
        ),
        (r"contains a null byte", marked("This text holds a character that cannot be kept.")),
        (
            r"'(?P<value>.*)' was never seen in training",
            marked("“%(value)s” was never seen in training: take the answer with care."),
        ),
        (
            r"(?P<value>\S+) lies outside the (?:range|dates) seen in training, "
            r"(?P<low>\S+) to (?P<high>\S+)",
            marked(
                "%(value)s lies outside what was seen in training, %(low)s to %(high)s: "
                "take the answer with care."
            ),
        ),
    )
)


def in_their_words(problem: str, speech: Speech) -> Refused:
    """The sentence in a language; a sentence that is in no catalogue stays English, and says so."""
    for pattern, text in _SENTENCES:
        found = pattern.fullmatch(problem)
        if found is not None:
            values = {name: _localised(value, speech) for name, value in found.groupdict().items()}
            return Refused(speech.gettext(text, **values), False)
    return Refused(problem, speech.code != "en")


def by_column(problems: Iterable[Problem], contract: Contract, speech: Speech) -> dict[str, Refused]:
    """Column -> its first problem's sentence, for the columns that the form shows."""
    shown: dict[str, Refused] = {}
    for problem in problems:
        if problem.column is not None and problem.column not in shown:
            shown[problem.column] = in_their_words(problem.problem, speech)
    return shown


def warnings_by_column(warnings: Iterable[Mapping[str, str]], speech: Speech) -> dict[str, Refused]:
    """As `by_column`, of the warnings in an answer."""
    return {one["column"]: in_their_words(one["problem"], speech) for one in warnings}


def _localised(text: str, speech: Speech) -> str:
    found = number(text)
    return text if found is None else speech.number(found)
