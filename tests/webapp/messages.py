"""Every text that the pages mark for translation, extracted as Babel's command would."""

from __future__ import annotations

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir

ROOT = Path(__file__).resolve().parents[2]
_KEYWORDS = {**DEFAULT_KEYWORDS, "marked": None}


def marked_messages() -> Catalog:
    """The texts of templates and pages, each with the places where it stands."""
    found = Catalog()
    for folder, method in ((ROOT / "templates", "jinja2"), (ROOT / "webapp", "python")):
        pattern = "**.html" if method == "jinja2" else "**.py"
        options = {pattern: {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}}
        for name, line, message, _, _ in extract_from_dir(
            folder, [(pattern, method)], options if method == "jinja2" else {}, _KEYWORDS
        ):
            found.add(message, locations=[(f"{folder.name}/{name}", line)])
    return found
