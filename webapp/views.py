"""A page's view: the variables of its template, typed; and its drawing in the visitor's language."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context, select_autoescape
from jinja2.runtime import Context
from markupsafe import Markup

from loop.clock import now_ms
from webapp.assets import Assets
from webapp.decision_words import in_words as decision_words
from webapp.decision_words import metric_of
from webapp.language import LANGUAGES, Speech, marked
from webapp.pulse import ServiceState
from webapp.quality import shown_quality

#: Whose page is being drawn. Not the template's context: an imported macro has another.
_SPEECH: ContextVar[Speech] = ContextVar("speech")
_FOLDER = Path(__file__).resolve().parents[1] / "templates"


@dataclass(frozen=True, kw_only=True)
class View:
    """Subclassed by each page: its fields are the template's variables."""

    template: ClassVar[str]
    regions: ClassVar[tuple[str, ...]] = ()
    """Blocks of the template that may be drawn alone; each fills the element whose id is its name."""


@dataclass(frozen=True, slots=True)
class Link:
    """One entry of the navigation."""

    path: str
    title: str


@dataclass(frozen=True, slots=True)
class Shell:
    """What every page shows around its own: `shell` in each template."""

    speech: Speech
    use_case: str
    path: str
    links: tuple[Link, ...]
    csrf: str
    needs_sign_in: bool
    """A token is set, so that changes take a sign-in."""
    is_signed_in: bool
    service: ServiceState
    reporting_url: str


class Drawing:
    """Draws views. One Jinja environment a language; filters follow the visitor's region as well."""

    def __init__(self, assets: Assets) -> None:
        self._environments = {code: _environment(Speech(code), assets) for code in LANGUAGES}

    def draw(self, view: View, shell: Shell, region: str | None = None) -> str:
        """The page, or one of its regions alone."""
        template = self._environments[shell.speech.code].get_template(view.template)
        values: dict[str, Any] = {field.name: getattr(view, field.name) for field in fields(view)}
        values |= {"shell": shell, "now_ms": now_ms()}
        before = _SPEECH.set(shell.speech)
        try:
            if region is None:
                return template.render(values)
            return "".join(template.blocks[region](template.new_context(values)))
        finally:
            _SPEECH.reset(before)


def in_words(name: str) -> str:
    """A column's or metric's name as a person reads it.

    >>> in_words("chronic_diseases"), in_words("roc_auc"), in_words("TotalCharges")
    ('Chronic diseases', 'ROC AUC', 'Total charges')
    """
    if name in _METRICS:
        return _METRICS[name]
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", name).replace("_", " ").strip()
    if not spaced:
        return name
    words = [word if word.isupper() else word.lower() for word in spaced.split()]
    return " ".join([words[0][0].upper() + words[0][1:], *words[1:]])


_METRICS = {
    "accuracy": marked("Accuracy"),
    "balanced_accuracy": marked("Balanced accuracy"),
    "precision": marked("Precision"),
    "recall": marked("Recall"),
    "f1": marked("F1"),
    "roc_auc": marked("ROC AUC"),
    "log_loss": marked("Log loss"),
    "calibration_error": marked("Calibration error"),
}


_FILTERS: dict[str, Callable[..., Any]] = {
    "number": Speech.number,
    "percent": Speech.percent,
    "points": Speech.points,
    "day": Speech.day,
    "duration": Speech.duration,
    "size": Speech.size,
    "shown_quality": lambda speech, told: shown_quality(told, speech),
    "decision_words": lambda speech, one: decision_words(
        one, speech.gettext(in_words(metric_of(one))), speech
    ),
    "words": lambda speech, name: speech.gettext(in_words(str(name))),
    "moment": lambda speech, at_ms: _time(at_ms, speech.moment(at_ms), ""),
    "ago": lambda speech, at_ms: _time(at_ms, speech.ago(at_ms, now_ms()), speech.moment(at_ms)),
}
"""By name; each takes the visitor's speech and the value."""


def _filter(act: Callable[..., Any]) -> Callable[..., Any]:
    @pass_context  # so that none is worked out when a template is compiled, for whoever came first
    def filtered(context: Context, *given: Any, **named: Any) -> Any:
        return act(_SPEECH.get(), *given, **named)

    return filtered


def _environment(speech: Speech, assets: Assets) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(speech.translations, newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= {name: _filter(act) for name, act in _FILTERS.items()}
    environment.globals["static"] = assets.url
    return environment


def _time(at_ms: int, shown: str, title: str) -> Markup:
    """A time that machines can read too; browsers with scripts show it in their own zone."""
    seconds = f"{at_ms // 1000}"
    more = Markup(' title="{}"').format(title) if title else ""
    return Markup('<time data-at="{}"{}>{}</time>').format(seconds, more, shown)
