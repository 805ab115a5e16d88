"""The form of a row: drawn from the contract, and read back into what the API takes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from use_cases.contract import Column, Contract, Value
from webapp.language import Speech
from webapp.views import in_words

Control = Literal["number", "select", "text", "date", "datetime-local"]

#: With more categories than these a person types and the browser proposes.
_MOST_OPTIONS = 60
_MOST_PROPOSED = 500
#: Before a column's name, in the names of the form's fields.
PREFIX = "row."
_SPACES = re.compile(r"[\s\u00a0\u202f]+")


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a select."""

    value: str
    shown: str


@dataclass(frozen=True, slots=True)
class Field:
    """One column as a field of the form."""

    name: str
    """Of the field; the column's with a prefix."""
    id: str
    column: str
    label: str
    control: Control
    value: str
    """What was typed, or the example's value."""
    step: str
    options: tuple[Option, ...]
    hint: str
    """Range and typical value, in words."""
    typical: str
    """The typical value, short enough to be read inside the field; it is shown there and never sent."""
    is_optional: bool
    problem: str = ""
    """Why the value was refused."""
    problem_is_english: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Sentences about one column's value."""

    sentence: str
    is_english: bool


def fields(
    contract: Contract, typed: Mapping[str, str], problems: Mapping[str, Refused], speech: Speech
) -> tuple[Field, ...]:
    """The fields of the feature columns, in their order. `typed` and `problems`: by column."""
    return tuple(
        _field(column, place, typed.get(column.name, ""), problems.get(column.name), speech)
        for place, column in enumerate(contract.columns)
    )


def key_fields(contract: Contract, typed: Mapping[str, str], speech: Speech) -> tuple[Field, ...]:
    """The fields of the id and the time column, which are no features and may stay empty."""
    hints = {
        contract.id_column: speech.gettext(
            "Whose row it is. The model never sees it; you can find the answer by it."
        ),
        contract.time_column: speech.gettext("When it was. The model never sees it."),
    }
    return tuple(
        Field(
            name=PREFIX + name,
            id=f"key-{place}",
            column=name,
            label=in_words(name),
            control="text",
            value=typed.get(name, ""),
            step="",
            options=(),
            hint=hints[name],
            typical="",
            is_optional=True,
        )
        for place, name in enumerate(hints)
        if name is not None
    )


def typed_values(contract: Contract, form: Mapping[str, Any]) -> dict[str, str]:
    """Column -> text that was typed, for the columns of the contract; empty texts are left out."""
    names = [column.name for column in contract.columns]
    names += [name for name in (contract.id_column, contract.time_column) if name is not None]
    typed = {}
    for name in names:
        text = form.get(PREFIX + name)
        if isinstance(text, str) and text.strip():
            typed[name] = text
    return typed


def row(contract: Contract, typed: Mapping[str, str]) -> dict[str, Any]:
    """The row as JSON carries it. What is empty is missing, never zero.

    Text that is no number (boolean) goes on as it is, so that the contract's own sentence refuses it.
    """
    kinds = {column.name: column.kind for column in contract.columns}
    return {name: _value(text, kinds.get(name, "category")) for name, text in typed.items()}


def texts(contract: Contract, values: Mapping[str, Any]) -> dict[str, str]:
    """A row as the form's fields would hold it."""
    columns = {column.name: column for column in contract.columns}
    shown = {}
    for name, value in values.items():
        if value is None:
            continue
        column = columns.get(name)
        shown[name] = as_typed(value, column) if column is not None else str(value)
    return shown


def as_typed(value: Value, column: Column) -> str:
    """A value as the column's field holds it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if column.kind == "date":
        return _date_text(str(value), _date_control(column))
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


def number(text: str) -> float | int | None:
    """The number that a person typed, with a decimal comma or point and spaces between thousands.

    >>> number("1 234,5"), number("-3"), number("1,234.5"), number("abc")
    (1234.5, -3, None, None)
    """
    bare = _SPACES.sub("", text).replace("−", "-")
    if bare.count(",") == 1 and "." not in bare:
        bare = bare.replace(",", ".")
    if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", bare) or len(bare) > 300:
        return None
    return int(bare) if re.fullmatch(r"[+-]?\d+", bare) else float(bare)


def _value(text: str, kind: str) -> Any:
    text = text.strip()
    if kind == "number":
        found = number(text)
        return text if found is None else found
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return text


def _field(column: Column, place: int, value: str, refused: Refused | None, speech: Speech) -> Field:
    control, options = _control(column, speech)
    if control == "select" and value and value not in {option.value for option in options}:
        options += (Option(value, value),)  # it was sent so: what was typed is kept
    return Field(
        name=PREFIX + column.name,
        id=f"field-{place}",
        column=column.name,
        label=in_words(column.name),
        control=control,
        value=value,
        step=("1" if column.whole else "any") if control == "number" else "",
        options=options,
        hint=_hint(column, speech),
        typical=as_typed(_rounded(column.typical), column) if control == "number" else "",
        is_optional=column.nullable,
        problem=refused.sentence if refused else "",
        problem_is_english=bool(refused and refused.is_english),
    )


def _control(column: Column, speech: Speech) -> tuple[Control, tuple[Option, ...]]:
    if column.kind == "number":
        return "number", ()
    if column.kind == "date":
        return _date_control(column), ()
    if column.kind == "boolean":
        return "select", (Option("true", speech.gettext("true")), Option("false", speech.gettext("false")))
    options = tuple(Option(name, name) for name in list(column.categories)[:_MOST_PROPOSED])
    return ("select" if len(options) <= _MOST_OPTIONS else "text"), options


def _hint(column: Column, speech: Speech) -> str:
    if column.kind in ("category", "boolean"):
        if column.typical is None or len(column.categories) < 2:
            return ""
        typical = column.typical
        shown = speech.gettext(str(typical).lower()) if isinstance(typical, bool) else typical
        return speech.gettext("most often %(value)s", value=shown)
    if column.minimum is None or column.maximum is None:
        return ""
    if column.kind == "date":
        low, high = (speech.day(int(days * 86_400_000)) for days in (column.minimum, column.maximum))
        return speech.gettext("seen from %(low)s to %(high)s", low=low, high=high)
    low, high = speech.number(column.minimum), speech.number(column.maximum)
    if isinstance(column.typical, (int, float)):
        typical = speech.number(column.typical)
        return speech.gettext(
            "%(low)s to %(high)s, typically %(typical)s", low=low, high=high, typical=typical
        )
    return speech.gettext("%(low)s to %(high)s", low=low, high=high)


def _rounded(value: Value) -> Value:
    """A broken number with four digits that say something.

    >>> _rounded(29.631081495282302), _rounded(0.00123456), _rounded(8490.5), _rounded(29237)
    (29.63, 0.001235, 8490.0, 29237)
    """
    if not isinstance(value, float) or not math.isfinite(value) or value == 0:
        return value
    return round(value, max(3 - math.floor(math.log10(abs(value))), 0))


def _date_control(column: Column) -> Control:
    seen = [column.minimum, column.maximum, *column.quantiles.values()]
    return "date" if all(days is None or float(days).is_integer() for days in seen) else "datetime-local"


def _date_text(text: str, control: Control) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return f"{moment:%Y-%m-%d}" if control == "date" else f"{moment:%Y-%m-%dT%H:%M}"
