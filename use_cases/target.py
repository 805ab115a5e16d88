"""The target column as label text: what can be learned, what is refused, which label is of interest."""

from __future__ import annotations

import pandas as pd

from loop.labels import label_text
from loop.refusals import NotTrainable, UseCaseMistake
from use_cases.kinds import numbers, without_blanks
from use_cases.use_case import UseCase

MOST_INTEGER_LABELS = 50
"""More distinct whole numbers than this are an amount, not classes."""

MOST_LABELS = 200
"""More distinct texts than this are names or ids, not classes."""

POSITIVE_WORDS = (
    "yes",
    "true",
    "1",
    "y",
    "t",
    "positive",
    "pos",
    "oui",
    "sim",
    "spam",
    "fraud",
    "churn",
    "up",
)


def learnable_target(use_case: UseCase, values: pd.Series, dropped: dict[str, int]) -> pd.Series:
    """The labels of the rows that have one, indexed as `values`; `dropped` is told how many have none.

    Raises NotTrainable for a numeric target, for one class only or none, and for hundreds of classes;
    UseCaseMistake where `positive` or `classes` name labels that the rows do not have.
    """
    name = use_case.target
    labels = _labels(values)
    if labels.isna().any():
        dropped["without a target"] = int(labels.isna().sum())
        labels = labels.dropna()
    for key, wanted in (("classes", use_case.classes), ("positive", use_case.positive)):
        unknown = sorted(set(wanted) - set(labels))
        if unknown and len(labels):
            seen = ", ".join(list(labels.value_counts().index)[:10])
            raise UseCaseMistake(f"{key}: {', '.join(unknown)} is no label of {name}; it has {seen}.")
    if use_case.classes:
        others = ~labels.isin(use_case.classes)
        if others.any():
            dropped["of other classes"] = int(others.sum())
        labels = labels[~others]
    else:
        refuse_numeric(name, values)
        if labels.nunique() > MOST_LABELS:
            raise NotTrainable(
                f"Target {name} has {labels.nunique()} different labels, more than {MOST_LABELS}: is it the "
                "right column? Group its values into fewer classes, or list those to learn under classes."
            )
    if labels.empty:
        raise NotTrainable(f"No row has a value of the target {name}; there is nothing to learn from.")
    if labels.nunique() == 1:
        raise NotTrainable(
            f"Every row has the same {name}, {labels.iloc[0]!r}; a classifier needs at least two classes."
        )
    if use_case.positive and set(use_case.positive) == set(labels):
        raise UseCaseMistake(f"positive: names every label of {name}; name the ones of interest only.")
    return labels


def refuse_numeric(name: str, values: pd.Series) -> None:
    """Raises NotTrainable where the target is an amount: fractions, or too many different whole numbers."""
    values = without_blanks(values)
    if values.dtype == bool:
        return
    seen = values.dropna()
    amounts = numbers(seen)
    if seen.empty or amounts.isna().any():
        return
    fractions = bool((amounts % 1 != 0).any())
    if fractions or amounts.nunique() > MOST_INTEGER_LABELS:
        raise NotTrainable(
            f"Target {name} is a number ({amounts.nunique()} different values from {amounts.min():g} to "
            f"{amounts.max():g}): that is regression, and Rebento classifies. Make classes from it, "
            f"such as {name} above {amounts.median():g} yes or no, and name that as the target."
        )


def likely_positive(labels: pd.Series) -> str:
    """The label of two that people ask for: yes, true, 1 and the like, else the rarer one."""
    counts = labels.value_counts()
    for word in POSITIVE_WORDS:
        for label in counts.index:
            if str(label).lower() == word:
                return str(label)
    return str(min(sorted(counts.index, reverse=True), key=lambda label: int(counts[label])))


def _labels(values: pd.Series) -> pd.Series:
    def read(value: object) -> str | None:
        text = label_text(value)
        return text.lower() if text is not None and text.lower() in ("true", "false") else text

    return without_blanks(values).map(read).astype("object")
