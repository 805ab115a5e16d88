"""The use case: its file, and the rows it names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from diagnosis.finding import Finding
from loop.refusals import Refusal
from use_cases.use_case import UseCase


def use_case(read: Callable[[], UseCase], data: Path) -> Iterator[Finding]:
    """Whether it can be read, and its files are where it says."""
    try:
        found = read()
    except Refusal as refusal:
        yield Finding("use case", "failing", str(refusal), "mend the file; what is served goes on")
        return
    said = f"{found.name}: {found.target} by {found.metric}"
    try:
        from use_cases.source import source_files  # it reads rows with pandas, which no serving image holds
    except ModuleNotFoundError:
        yield Finding("use case", "well", f"{said}; its rows are not looked at: this host only serves")
        return
    absent = [path for path in source_files(found, data) if not path.is_file()]
    if absent:
        said = f"{found.name} names files that are not there: {', '.join(map(str, absent[:5]))}"
        advice = f"put them under {data} (REBENTO_DATA): the next training needs them"
        yield Finding("use case", "failing", said, advice)
    else:
        yield Finding("use case", "well", said)
