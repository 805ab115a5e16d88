"""The text of a new `use_case.yaml`, with the reasons beside what was decided."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
WORDS_OF_YAML = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


@dataclass(slots=True)
class Draft:
    """A use case while it is being inferred."""

    name: str
    file: Path
    target: str
    id: str | None = None
    time: str | None = None
    positive: str | None = None
    classes: tuple[str, ...] = ()
    """Labels to learn; empty: all."""
    metric: str = "roc_auc"
    ignore: dict[str, str] = field(default_factory=dict)
    """Column -> why it is left out."""
    suspects: dict[str, str] = field(default_factory=dict)
    """Column -> evidence that it may give the target away, though it is kept."""
    notes: list[str] = field(default_factory=list)

    def leave_out(self, column: str, reason: str) -> None:
        self.ignore[column] = reason
        self.notes.append(f"{column} is left out: {reason}.")


def yaml_text(draft: Draft) -> str:
    """The file's text. Strings are quoted wherever any version of YAML could read them as something else."""
    kind = "parquet" if draft.file.suffix in (".parquet", ".pq") else "csv"
    lines = [
        f"# Written by `rebento init`. Train it with `rebento train --use-case {draft.name}`.",
        "source:",
        f"  {kind}: {_quoted(str(draft.file))}",
        "",
        f"target: {_quoted(draft.target)}",
    ]
    if draft.positive is not None:
        lines.append(
            f"positive: {_quoted(draft.positive)}    # the class that precision, recall and F1 speak of"
        )
    if draft.classes:
        lines.append(
            f"classes: [{', '.join(map(_quoted, draft.classes))}]    # rows of other labels are left out"
        )
    if draft.id is not None:
        lines.append(
            f"id: {_quoted(draft.id)}    # rows of one id stay on one side of the holdout; never a feature"
        )
    if draft.time is not None:
        lines.append(f"time: {_quoted(draft.time)}    # never a feature")
    if draft.ignore:
        lines.append("ignore:")
        lines += [f"  - {_quoted(column)}    # {_comment(why)}" for column, why in draft.ignore.items()]
    if draft.suspects:
        lines.append("# Kept, but is it known when the question is asked? If not, put it under ignore:")
        lines += [f"#   {_quoted(column)}: {_comment(why)}" for column, why in draft.suspects.items()]
    lines += [
        "",
        "embedding:",
        "  kind: columns    # or pca with components: 10, or pca with variance: 0.95",
        "",
        f"metric: {draft.metric}    # decides between candidate models",
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    if PLAIN.fullmatch(text) and text.lower() not in WORDS_OF_YAML:
        return text
    return json.dumps(text, ensure_ascii=False)


def _comment(text: str) -> str:
    """The text on one line, for a value in it may hold line breaks."""
    return " ".join(text.split())
