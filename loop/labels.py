"""Class labels are text everywhere; this is the one place that turns a value into its label."""

from __future__ import annotations

from typing import Any


def label_text(value: Any) -> str | None:
    """The label a value stands for, or None where it is missing or no scalar.

    >>> label_text(True), label_text(1), label_text(1.0), label_text(" yes ")
    ('true', '1', '1', 'yes')
    >>> label_text(None) is None and label_text(float("nan")) is None and label_text([1]) is None
    True
    """
    if value is None:
        return None
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, (list, tuple, dict, set)):
        return None
    if hasattr(value, "item"):  # a numpy scalar
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return None
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else str(value)
    return str(value)


def matching_class(value: Any, classes: tuple[str, ...]) -> str | None:
    """The class that `value` names by its text, or None. Case counts, except for true and false.

    >>> matching_class(True, ("false", "true")), matching_class("True", ("false", "true"))
    ('true', 'true')
    >>> matching_class("Yes", ("no", "yes")) is None
    True
    """
    text = label_text(value)
    if text is None or text in classes:
        return text
    lowered = text.lower()
    return lowered if lowered in ("true", "false") and lowered in classes else None
