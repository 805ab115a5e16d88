"""Model cards: Markdown beside the model, drawn without any markup of its own; and the table in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from loop.places import model_folder
from storage.versions import Version

#: The sentence that stands before the confusion matrix: `training.model_card`.
_BEFORE_MATRIX = "True classes down, predicted classes across"
#: A card has its own title; on a page it stands below the page's and the section's.
_LEVELS = {"h1": "h3", "h2": "h3", "h3": "h4", "h4": "h5"}


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows held out: `counts[true class][predicted class]`."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Card:
    """A model card."""

    body: Markup
    matrix: Matrix | None
    """None: the card holds none."""


def read_card(home: Path, version: Version) -> Card | None:
    """The card of a version; None where its files are gone."""
    try:
        text = (model_folder(home, version.model_tag) / "model_card.md").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return card(text)


def card(markdown: str) -> Card:
    """The card of a text. Markup in it is shown as text, pictures are not loaded.

    >>> print(card("# small:1\\n\\nSays <b>hi</b>").body)
    <p>Says &lt;b&gt;hi&lt;/b&gt;</p>
    <BLANKLINE>
    """
    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    tokens = reader.parse(markdown)
    matrix = _matrix(tokens)
    if len(tokens) >= 3 and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        tokens = tokens[3:]  # the tag, which the page says already
    for place, token in enumerate(tokens):
        if token.type.startswith("heading_"):
            token.tag = _LEVELS.get(token.tag, token.tag)
        elif token.type in ("th_open", "td_open"):
            _cell(tokens, place)
    # Every text was escaped by the renderer: html is off.
    return Card(Markup(reader.renderer.render(tokens, reader.options, {})), matrix)


def _cell(tokens: list[Token], place: int) -> None:
    """Alignment by a class, for the pages' policy forbids styles; an empty header cell heads nothing."""
    opened = tokens[place]
    is_number = "right" in str(opened.attrs.get("style", ""))
    opened.attrs = {"class": "number"} if is_number else {}
    if opened.type == "th_open" and not tokens[place + 1].content.strip():
        opened.tag = tokens[place + 2].tag = "td"
    elif opened.type == "th_open":
        opened.attrs["scope"] = "col"


def _matrix(tokens: list[Token]) -> Matrix | None:
    starts = [place for place, one in enumerate(tokens) if one.content.startswith(_BEFORE_MATRIX)]
    if not starts:
        return None
    rows: list[list[str]] = []
    for token in tokens[starts[0] + 1 :]:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            rows[-1].append("".join(child.content for child in token.children or ()))
        elif token.type == "table_close":
            break
    if len(rows) < 2:
        return None
    classes = tuple(rows[0][1:])
    try:
        counts = tuple(tuple(int(cell.replace(",", "")) for cell in row[1:]) for row in rows[1:])
    except ValueError:
        return None
    is_square = len(counts) == len(classes) and all(len(row) == len(classes) for row in counts)
    return Matrix(classes, counts) if is_square else None
