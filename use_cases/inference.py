"""A use case inferred from one file: what `rebento init FILE --target COLUMN` writes, and why."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from loop.refusals import NotTrainable, UseCaseMistake
from use_cases.contract import Kind
from use_cases.kinds import kind_of, texts, tidy_column, without_blanks
from use_cases.leaks import Evidence, telling_columns
from use_cases.tables import read_table
from use_cases.target import learnable_target, likely_positive
from use_cases.use_case import KNOWN_AT, NAME, UseCase
from use_cases.writing import Draft, yaml_text

HIGH_CARDINALITY = 200
"""Text with more distinct values than this, and in more than a fifth of the rows, is left out."""

DISTINCT_SHARE = 0.2
FEWEST_ROWS = 10
ID_SHARE = 0.95
ID_NAME = re.compile(
    r"(?i:^|_|\s|-)(?i:id|key|uuid|guid|identifier)$|(?<=[a-z])I[Dd]$|^(?i:index|row|row_?number)$"
)

Tidy = dict[str, tuple[pd.Series, Kind]]


@dataclass(frozen=True, slots=True)
class Inference:
    """A proposed use case. `notes` are sentences on what was seen and decided, for a person to read."""

    name: str
    yaml_text: str
    notes: tuple[str, ...]
    use_case: UseCase


def infer_use_case(
    file: Path, *, target: str, id: str | None = None, time: str | None = None, name: str | None = None
) -> Inference:
    """The use case that a CSV or Parquet file suggests.

    Raises DataNotFound (no file), UseCaseMistake (unreadable or empty file, a column named twice, no such
    column, an unfit name) and NotTrainable (a numeric target, one class, no column left to learn from).
    """
    file = file.expanduser().absolute()
    name = _name(file, name)
    raw = read_table(file)
    if raw.empty:
        raise UseCaseMistake(f"{file} has no rows below its column names; there is nothing to learn from.")
    _refuse_absent(file, raw, target=target, id=id, time=time)
    draft = Draft(name=name, file=file, target=target, id=id, time=time)
    dropped: dict[str, int] = {}
    labels = learnable_target(_bare_use_case(draft), raw[target], dropped)
    _describe_target(draft, labels, dropped)
    if draft.classes:
        labels = labels[labels.isin(draft.classes)]
    rows = raw.loc[labels.index].reset_index(drop=True)
    labels = labels.reset_index(drop=True)
    features = _features(draft, rows)
    told = telling_columns(features, labels)
    # Where every column gives the target away, leaving all out would leave nothing: the person decides.
    keep_all = sum(evidence.is_leak for evidence in told) == len(features)
    for evidence in told:
        _tell(draft, evidence, keep=keep_all or not evidence.is_leak)
        if evidence.column in draft.ignore:
            del features[evidence.column]
    if not features:
        left_out = "; ".join(f"{column}: {reason}" for column, reason in draft.ignore.items())
        raise NotTrainable(
            f"{file} has no column left to learn {target} from ({left_out or 'it has no other'})."
        )
    _describe_features(draft, features)
    text = yaml_text(draft)
    return Inference(name, text, tuple(draft.notes), UseCase.from_yaml(text, name))


def write_use_case(inference: Inference, folder: Path, *, replace: bool = False) -> Path:
    """Writes `folder/NAME/use_case.yaml` and answers its path; writing the same again changes nothing.

    Raises UseCaseMistake where a different use case of that name is there and `replace` is not set.
    """
    path = folder / inference.name / "use_case.yaml"
    try:
        if path.exists() and path.read_text(encoding="utf-8") != inference.yaml_text and not replace:
            raise UseCaseMistake(
                f"{path} exists and says something else; choose another --use-case, or remove it first."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(inference.yaml_text, encoding="utf-8")
    except OSError as error:
        raise UseCaseMistake(f"{path} cannot be written: {error}") from error
    return path


def _name(file: Path, name: str | None) -> str:
    if name is not None:
        if not NAME.fullmatch(name):
            raise UseCaseMistake(
                f"{name!r} cannot name a use case: begin with a to z and go on with a to z, 0 to 9 and _."
            )
        return name
    stem = re.sub(r"[^a-z0-9]+", "_", file.name.lower().split(".")[0]).strip("_")
    return stem if NAME.fullmatch(stem) else f"data_{stem}".rstrip("_")


def _refuse_absent(file: Path, rows: pd.DataFrame, **roles: str | None) -> None:
    there = [str(column) for column in rows.columns]
    if KNOWN_AT in there:
        raise UseCaseMistake(f"{file} has a column {KNOWN_AT!r}, a name Rebento uses itself; rename it.")
    lowered = {column.lower(): column for column in there}
    mistakes = []
    for role, column in roles.items():
        if column is None or column in there:
            continue
        close = [lowered[one] for one in difflib.get_close_matches(column.lower(), lowered, n=3)]
        hint = f"did you mean {' or '.join(close)}?" if close else f"it has {', '.join(there)}."
        mistakes.append(f"no column {column!r} for --{role}; {hint}")
    if mistakes:
        raise UseCaseMistake(f"{file} has {' Also '.join(mistakes)}")
    named = [column for column in roles.values() if column is not None]
    if len(set(named)) < len(named):
        raise UseCaseMistake("--target, --id and --time must name different columns.")


def _bare_use_case(draft: Draft) -> UseCase:
    return UseCase.model_validate(
        {"name": draft.name, "target": draft.target, "source": {"csv": str(draft.file)}}
    )


def _describe_target(draft: Draft, labels: pd.Series, dropped: dict[str, int]) -> None:
    counts = labels.value_counts()
    rare = [str(label) for label in counts.index if counts[label] < FEWEST_ROWS]
    shown = ", ".join(f"{label} ({int(n)})" for label, n in counts.items())
    draft.notes.append(f"{draft.target} has {len(counts)} classes: {shown}.")
    for reason, rows in dropped.items():
        draft.notes.append(f"{rows} rows {reason} are left out.")
    if rare and len(counts) - len(rare) >= 2:
        counts = counts.drop(rare)
        draft.classes = tuple(sorted(str(label) for label in counts.index))
        draft.notes.append(
            f"{', '.join(rare)}: fewer than {FEWEST_ROWS} rows, too few to learn; classes lists the others."
        )
    if len(counts) == 2:
        draft.positive = likely_positive(labels[labels.isin(counts.index)])
        draft.metric = "roc_auc"
        draft.notes.append(
            f"{draft.positive} is taken as the positive class; change positive in use_case.yaml if it is not."
        )
    else:
        draft.metric = "balanced_accuracy"


def _features(draft: Draft, rows: pd.DataFrame) -> Tidy:
    """The columns to learn from, tidy; what is left out is told to the draft with its reason."""
    columns = [str(name) for name in rows.columns if name not in (draft.target, draft.id, draft.time)]
    blanks = {name: without_blanks(rows[name]) for name in columns}
    if draft.id is None:
        draft.id = next((name for name in columns if _is_id(name, blanks[name])), None)
        if draft.id is not None:
            columns.remove(draft.id)
            draft.notes.append(f"{draft.id} looks like the id of a row and is taken as id.")
    features: Tidy = {}
    for name in columns:
        reason = _reason_to_ignore(name, blanks[name])
        if reason is None:
            features[name] = tidy_column(rows[name])
        else:
            draft.leave_out(name, reason)
    for name, (values, kind) in features.items():
        empty = int((rows[name].notna() & blanks[name].isna()).sum())
        if empty:
            draft.notes.append(f"{name} is blank in {empty} rows; they count as missing.")
        if kind in ("number", "date") and values.dtype == object:
            draft.notes.append(
                f"{name} holds {kind}s and a few other texts; rows with those will be set aside."
            )
    return features


def _is_id(name: str, values: pd.Series) -> bool:
    """All but unique, and named like an id or made of text or whole numbers that only tell rows apart."""
    seen = values.dropna()
    if len(seen) < max(2, ID_SHARE * len(values)) or seen.nunique() < ID_SHARE * len(seen):
        return False
    whole = values.dtype.kind in "iu"
    if ID_NAME.search(name):
        return whole or values.dtype == object
    code = (
        values.dtype == object and kind_of(values) == "category" and not texts(seen).str.contains(r"\s").any()
    )
    return code and seen.is_unique and len(seen) > 20


def _reason_to_ignore(name: str, values: pd.Series) -> str | None:
    seen = values.dropna()
    if seen.empty:
        return "it has no values"
    distinct = seen.map(str).nunique()
    if distinct == 1 and len(seen) == len(values):
        return f"it has the same value in every row ({seen.iloc[0]})"
    if _is_id(name, values):
        return "an id: its values only tell rows apart"
    if values.dtype.kind in "iu" and len(values) > 20 and (values.diff().iloc[1:] == 1).all():
        return "it numbers the rows"
    if (
        kind_of(values) == "category"
        and distinct > HIGH_CARDINALITY
        and distinct > DISTINCT_SHARE * len(seen)
    ):
        return f"free text or a code ({distinct} different values in {len(seen)} rows)"
    return None


def _tell(draft: Draft, evidence: Evidence, *, keep: bool) -> None:
    if not keep:
        draft.leave_out(evidence.column, f"gives {draft.target} away: {evidence.sentence()}")
        draft.notes.append(
            f"If {evidence.column} is known before {draft.target} is, remove it from ignore in use_case.yaml."
        )
    else:
        draft.suspects[evidence.column] = evidence.sentence()
        draft.notes.append(
            f"{evidence.column} is kept, but look at it: {evidence.sentence()}. If it is only known after "
            f"{draft.target} is, put it under ignore in use_case.yaml."
        )


def _describe_features(draft: Draft, features: Tidy) -> None:
    words = {"number": "numbers", "category": "categories", "boolean": "booleans", "date": "dates"}
    for kind, word in words.items():
        names = [name for name, (_, seen) in features.items() if seen == kind]
        if names:
            draft.notes.append(f"{len(names)} {word if len(names) > 1 else kind}: {', '.join(names)}.")
    found = [name for name, (_, kind) in features.items() if kind == "date"]
    if draft.time is None and found:
        draft.notes.append(
            f"If {found[0]} says when a row happened, name it with --time; it is a feature now."
        )
