"""A use case: one data set, its columns, embedding, candidates and policy, read from `use_case.yaml`."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from loop.labels import label_text
from loop.refusals import UseCaseMistake
from use_cases.contract import Kind
from use_cases.schema import Embedding, Policy, Source

SHIPPED = Path(__file__).parent
"""The folder of the use cases that come with Rebento."""

KNOWN_AT = "known_at"
"""Column that rows of a source with snapshots carry: the day of the snapshot."""

NAME = re.compile(r"[a-z][a-z0-9_]*")

CandidateName = Literal["random_forest", "logistic_regression", "hist_gradient_boosting", "sgd"]
Metric = Literal[
    "accuracy",
    "balanced_accuracy",
    "f1",
    "precision",
    "recall",
    "roc_auc",
    "log_loss",
    "calibration_error",
]

CANDIDATES: dict[str, dict[str, Any]] = {
    # Leaves of five rows: better probabilities and a graph a fraction the size of full-depth trees.
    "random_forest": {"n_estimators": 200, "min_samples_leaf": 5},
    "logistic_regression": {"C": 1.0, "max_iter": 1000},
    # No early stopping: its inner split would know nothing of persons who have several rows.
    "hist_gradient_boosting": {"learning_rate": 0.05, "max_iter": 200, "early_stopping": False},
    # Log loss, because without it there are no probabilities.
    "sgd": {"loss": "log_loss", "alpha": 0.001, "max_iter": 1000},
}
"""The candidate models, each with the settings that a use case's own are laid over."""


def _labels(value: Any) -> Any:
    """Label texts from one label or a list of them; anything else is left for pydantic to refuse."""
    values = value if isinstance(value, (list, tuple)) else [value]
    texts = [label_text(one) for one in values]
    return value if None in texts else tuple(texts)


Labels = Annotated[tuple[str, ...], BeforeValidator(_labels)]


class UseCase(BaseModel):
    """What `use_case.yaml` says. Labels are text: `positive: true` and `positive: "true"` are the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="the folder's name; lower case, it names Bentos and table rows")
    description: str = Field(default="", description="one sentence: what is predicted, of whom")
    source: Source
    target: str = Field(min_length=1, description="the column to predict")
    positive: Labels = Field(
        default=(), description="label or labels of interest; empty: chosen for two classes"
    )
    classes: Labels = Field(
        default=(), description="labels to learn, rows with others are left out; empty: all"
    )
    id: str | None = Field(default=None, description="column that says whose row it is; never a feature")
    time: str | None = Field(default=None, description="column that says when; never a feature")
    ignore: tuple[str, ...] = Field(default=(), description="columns to leave out")
    kinds: dict[str, Kind] = Field(
        default={}, description="columns whose kind is not what their values look like"
    )
    embedding: Embedding = Embedding(kind="pca", components=10)
    scaler: Literal["standard", "minmax", "none"] = "standard"
    candidates: dict[CandidateName, dict[str, Any]] = Field(default=CANDIDATES, validate_default=True)
    metric: Metric = Field(default="roc_auc", description="the score that decides between candidates")
    holdout: float = Field(
        default=0.2, gt=0, lt=1, description="share of ids (else rows) no version trains on"
    )
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    policy: Policy = Policy()
    folder: Path | None = Field(default=None, exclude=True, repr=False)
    """Where its `use_case.yaml` was read; no key of the file."""

    @field_validator("name")
    @classmethod
    def name_can_name_a_bento(cls, name: str) -> str:
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} must begin with a to z and go on with a to z, 0 to 9 and _")
        return name

    @field_validator("candidates", mode="before")
    @classmethod
    def settings_over_defaults(cls, candidates: Any) -> Any:
        if not isinstance(candidates, dict):
            return candidates
        if not candidates:
            raise ValueError(f"name at least one of {', '.join(CANDIDATES)}, or leave the key out for all")
        return {
            name: {**CANDIDATES.get(name, {}), **({} if settings is None else settings)}
            if settings is None or isinstance(settings, dict)
            else settings
            for name, settings in candidates.items()
        }

    @field_validator("classes")
    @classmethod
    def classes_are_several(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(classes)) == 1 or len(set(classes)) < len(classes):
            raise ValueError("name two or more different labels")
        return classes

    @field_validator("id", "time", "ignore", "kinds")
    @classmethod
    def column_has_one_role(cls, value: Any, info: ValidationInfo) -> Any:
        named = [value] if isinstance(value, str) else list(value or ())
        for role in ("target", "id", "time"):
            column = info.data.get(role)
            if role == info.field_name or column is None or column not in named:
                continue
            if info.field_name == "kinds":
                raise ValueError(f"{column} is the {role}; kinds are for feature columns")
            raise ValueError(f"{column} is the {role} already; a column has one role")
        return value

    @classmethod
    def from_yaml(cls, text: str, name: str, folder: Path | None = None, where: str | None = None) -> Self:
        """The use case that a YAML text describes. Raises UseCaseMistake that names every mistake."""
        where = where or f"use case {name}"
        try:
            values = yaml.load(text, _Loader)
        except yaml.YAMLError as error:
            raise UseCaseMistake(f"{where} is no valid YAML: {' '.join(str(error).split())}") from error
        if not isinstance(values, dict):
            raise UseCaseMistake(f"{where} must be a mapping that has at least the keys source and target")
        mistakes = []
        if "folder" in values:
            del values["folder"]
            mistakes.append("folder: no key of a use case (did you mean source.folder?)")
        if values.setdefault("name", name) != name:
            mistakes.append(f"name: {values['name']!r} differs from its folder's name {name!r}")
        try:
            use_case = cls.model_validate({**values, "folder": folder})
        except ValidationError as error:
            mistakes += [_mistake(dict(item)) for item in error.errors(include_url=False)]
        if mistakes:
            raise UseCaseMistake(f"{where} has {_counted(mistakes)}: " + "; ".join(mistakes))
        return use_case


def known_use_cases(folders: Sequence[Path]) -> dict[str, Path]:
    """Name -> `use_case.yaml` of each use case in these folders, sorted; an earlier folder wins."""
    found: dict[str, Path] = {}
    for folder in reversed(folders):
        found |= {path.parent.name: path for path in folder.glob("*/use_case.yaml")}
    return dict(sorted(found.items()))


def read_use_case(name: str, folders: Sequence[Path]) -> UseCase:
    """The use case of that name from the first of the folders that has it.

    Raises UseCaseMistake: no such use case (lists those there are), or mistakes in its file (all of them).
    """
    known = known_use_cases(folders)
    if name not in known:
        there = f"there are {', '.join(known)}" if known else "there are none yet"
        raise UseCaseMistake(
            f"There is no use case {name!r}; {there}. "
            "`rebento init FILE --target COLUMN` makes one from a CSV or Parquet file."
        )
    path = known[name]
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UseCaseMistake(f"{path} cannot be read as UTF-8 text: {error}") from error
    return UseCase.from_yaml(text, name, folder=path.parent, where=str(path))


def _counted(mistakes: list[str]) -> str:
    return "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"


def _mistake(item: dict[str, Any]) -> str:
    """`policy.drift_share: input should be less than or equal to 1 (is 7)`."""
    key = ".".join(str(part) for part in item["loc"] if part != "[key]") or "(the whole file)"
    kind, value = item["type"], item["input"]
    if kind == "missing":
        return f"{key}: missing"
    if kind == "extra_forbidden":
        return f"{key}: unknown key"
    message = str(item["msg"]).removeprefix("Value error, ")
    if kind == "value_error":
        return f"{key}: {message}"
    return f"{key}: {message[0].lower()}{message[1:]} (is {value!r})"


class _Loader(yaml.SafeLoader):
    """YAML in which only true and false are booleans, and a key given twice is a mistake.

    YAML 1.1 would read `positive: yes` as True and the key `on:` of a join as True.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is given twice", node.value[position][0].start_mark
                )
        return super().construct_mapping(node, deep=deep)


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF")
)
